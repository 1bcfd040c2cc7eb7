/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_mem.c - EPT violations and port I/O: memory that is not mapped yet, and devices.
 * Locking: the vcpu's thread, pinned; the changes of the p2m from any thread. Not saved.
 * Source: Intel SDM Vol 3C 28.3 "The Extended Page Table Mechanism (EPT)", 27.2.1 "Basic VM-Exit
 * Information".
 */
#include "vmx/vmx.h"

#include "x86/emulate_mmio.h"

#define EPTE_R		0x01ull
#define EPTE_W		0x02ull
#define EPTE_X		0x04ull
#define EPTE_WRITE_BACK 0x30ull /* memory type 6, */
#define EPTE_IGNORE_PAT 0x40ull /* whatever the guest's PAT says */
#define EPTE_LARGE	0x80ull
#define EPTE_DIRTY	0x200ull

/* clang-format off */
#define EPT_FORMAT \
	.present = EPTE_R | EPTE_W | EPTE_X, \
	.table = EPTE_R | EPTE_W | EPTE_X, \
	.leaf = EPTE_R | EPTE_X | EPTE_WRITE_BACK | EPTE_IGNORE_PAT, \
	.write = EPTE_W, \
	.large = EPTE_LARGE
/* clang-format on */

const struct npt_format vmx_ept_format = { EPT_FORMAT };

/* The same where the processor keeps accessed and dirty bits, and a log of what it makes dirty. */
const struct npt_format vmx_ept_format_dirty = { EPT_FORMAT, .dirty = EPTE_DIRTY };

/* -- the log of written pages: only while somebody wants it, for it makes guests exit ------------
 */

void vmx_prepare_pml(struct vmx_vcpu *vv)
{
	bool on = p2m_dirty_logging(&vv->vcpu->domain->p2m) &&
		  vmx_has(VMX_WORD_PROC2, VMX_PROC2_PML);

	if (hvm_likely(on == vv->pml_on))
		return;
	vv->pml_on = on;
	vmx_control(vv, VMX_PROC2_CONTROLS, VMX_PROC2_PML, on);
	vmx_write(vv, VMX_GUEST_PML_INDEX, VMX_PML_ENTRIES - 1);
}

/* The index is that of the next free entry, counted down; beyond the last it wraps. */
void vmx_collect_pml(struct vmx_vcpu *vv)
{
	unsigned int next;

	if (hvm_likely(!vv->pml_on))
		return;
	next = (uint16_t)(vmx_read(vv, VMX_GUEST_PML_INDEX) + 1);
	for (; next < VMX_PML_ENTRIES; next++)
		p2m_mark_dirty(&vv->vcpu->domain->p2m, vv->pml[next] & HVM_PAGE_MASK,
			       HVM_PAGE_SIZE);
	vmx_write(vv, VMX_GUEST_PML_INDEX, VMX_PML_ENTRIES - 1);
}

int vmx_exit_pml_full(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	(void)ret;
	if (vmx_read(vv, VMX_EXIT_QUALIFICATION) & VMX_EPT_UNBLOCK_NMI)
		vmx_reblock_nmi(vv);
	vmx_collect_pml(vv);
	return HW_RESUME;
}

/* -- changes of the p2m --------------------------------------------------------------------------
 */

void vmx_p2m_changed(struct domain *d, gfn_t gfn, uint64_t pages)
{
	struct vmx_domain *vd = d->vendor;

	hw_p2m_changed(d, &vd->ept, gfn, pages);
}

void vmx_dirty_log_changed(struct domain *d)
{
	struct vmx_domain *vd = d->vendor;

	if (!p2m_dirty_logging(&d->p2m)) {
		/* Large pages come back where they can. */
		vmx_p2m_changed(d, 0, HVM_BIT(40));
		return;
	}
	/* First all log, only then are the dirty bits cleared: none is set that is not logged. */
	if (vd->ept.format->dirty)
		hw_flush_all(d);
	npt_write_protect(&vd->ept);
	hw_flush_all(d);
}

/* -- devices ----------------------------------------------------------------------------------- */

/* ioemu serves the access; the instruction is tried again when it has. */
static int vmx_io_wait(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	vv->hw.io_retry = true;
	return vmx_leave(vv, ret, HVM_EXIT_IOREQ);
}

int vmx_emulate(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	vv->hw.io_retry = false;
	return vmx_leave(vv, ret, HVM_EXIT_EMULATE);
}

/* As far as @i uses them: its one segment. */
static void vmx_emulate_regs(struct vmx_vcpu *vv, const struct x86_insn *i, struct emulate_regs *r)
{
	unsigned int seg = i->seg;

	vv->gpr[X86_RSP] = vmx_read(vv, VMX_GUEST_RSP);
	r->rip = vmx_read(vv, VMX_GUEST_RIP);
	r->rflags = vmx_read(vv, VMX_GUEST_RFLAGS);
	r->code_size = (uint8_t)vmx_code_size(vv);
	if (seg <= HVM_SEG_GS &&
	    (r->code_size != X86_CODE64 || seg == HVM_SEG_FS || seg == HVM_SEG_GS))
		r->seg_base[seg] = vmx_read(vv, VMX_GUEST_ES_BASE + seg);
}

static int vmx_decode(struct vmx_vcpu *vv, struct x86_insn *ret)
{
	const struct guest_paging g = vmx_paging(vv);
	enum x86_code_size size = vmx_code_size(vv);
	gva_t gva = vmx_read(vv, VMX_GUEST_RIP);
	uint8_t code[X86_INSN_MAX_LEN];
	size_t bytes;

	if (size != X86_CODE64)
		gva = (uint32_t)(gva + vmx_read(vv, VMX_GUEST_CS_BASE));
	bytes = guest_fetch(vv->vcpu, &g, gva, code, sizeof(code));
	return x86_decode(code, bytes, size, ret) > 0 ? 0 : -HVM_EFAULT;
}

/* By an instruction's own access, not by a walk of the guest's tables. */
static bool vmx_is_data(struct vmx_vcpu *vv)
{
	const uint64_t data = VMX_EPT_GVA_VALID | VMX_EPT_GVA_DATA;

	return (vmx_read(vv, VMX_EXIT_QUALIFICATION) & data) == data;
}

int vmx_device_memory(struct vmx_vcpu *vv, gpa_t gpa, struct hvm_exit *ret)
{
	struct emulate_regs r = { .gpr = vv->gpr };
	int rc;

	/* What waited for ioemu is the same instruction: it was fetched once. */
	if (!vv->hw.io_retry && ((vv->event & VMX_EVENT_VALID) || vmx_decode(vv, &vv->io_insn)))
		return vmx_emulate(vv, ret);
	vmx_emulate_regs(vv, &vv->io_insn, &r);
	rc = emulate_mmio(vv->vcpu, &r, &vv->io_insn, gpa);
	if (rc == -HVM_EAGAIN)
		return vmx_io_wait(vv, ret);
	if (rc)
		return vmx_emulate(vv, ret);
	hw_io_retire(vv->vcpu);
	vmx_write(vv, VMX_GUEST_RSP, vv->gpr[X86_RSP]);
	vmx_write(vv, VMX_GUEST_RFLAGS, r.rflags);
	return vmx_skip_bytes(vv, vv->io_insn.len);
}

int vmx_exit_ept(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t q = vmx_read(vv, VMX_EXIT_QUALIFICATION);
	gpa_t gpa = vmx_read(vv, VMX_EXIT_GPA);
	int rc;

	if (q & VMX_EPT_UNBLOCK_NMI)
		vmx_reblock_nmi(vv);
	rc = npt_fault(&vv->domain->ept, &vv->vcpu->domain->p2m, &vv->hw.npt_cache, gpa,
		       q & VMX_EPT_WRITE);
	if (rc == -HVM_EFAULT)
		rc = vmx_map_apic(vv, gpa);
	if (hvm_likely(!rc)) {
		/* A device was there when the instruction began to wait. */
		if (hvm_unlikely(vv->hw.io_retry))
			hw_io_retire(vv->vcpu);
		return HW_RESUME;
	}
	if (rc == -HVM_EAGAIN)
		return HW_REFILL;
	return vmx_is_data(vv) ? vmx_device_memory(vv, gpa, ret) : vmx_emulate(vv, ret);
}

int vmx_exit_io(struct vmx_vcpu *vv, struct hvm_exit *ret)
{
	uint64_t q = vmx_read(vv, VMX_EXIT_QUALIFICATION);

	if (q & VMX_IO_STRING)
		return vmx_emulate(vv, ret);
	if (hw_port_io(vv->vcpu, VMX_IO_PORT(q), VMX_IO_BYTES(q), q & VMX_IO_IN, &vv->gpr[X86_RAX]))
		return vmx_io_wait(vv, ret);
	return vmx_skip(vv);
}
