/* SPDX-License-Identifier: GPL-2.0-or-later */
/* api/openapi.yaml, and what yaml2json made of it, as bytes of the daemon. Read-only. */
	.section .rodata
	.globl contract_yaml, contract_yaml_end, contract_json, contract_json_end
contract_yaml:
	.incbin CONTRACT_YAML
contract_yaml_end:
	.byte 0
contract_json:
	.incbin CONTRACT_JSON
contract_json_end:
	.byte 0
	.section .note.GNU-stack, "", @progbits
