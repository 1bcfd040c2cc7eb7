/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * yaml2json IN OUT: the API contract from YAML to JSON, at build time. One document; plain scalars
 * are resolved by the JSON schema of YAML 1.2 (section 10.2) and are strings otherwise; aliases
 * stand for a copy; a mapping key must be a scalar and may be there once. A build tool: it ends
 * the process on the first error.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static const char *in_path;

static void __attribute__((noreturn)) fail(size_t line, const char *what)
{
	fprintf(stderr, "yaml2json: %s:%zu: %s\n", in_path, line + 1, what);
	exit(1);
}

static json_t *scalar(const yaml_node_t *n)
{
	const char *s = (const char *)n->data.scalar.value;
	char *end = NULL;
	long long i;
	double r;

	if (n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return json_stringn(s, n->data.scalar.length);
	if (!strcmp(s, "null"))
		return json_null();
	if (!strcmp(s, "true") || !strcmp(s, "false"))
		return json_boolean(s[0] == 't');
	if (s[0] == '-' || (s[0] >= '0' && s[0] <= '9')) {
		errno = 0;
		i = strtoll(s, &end, 10);
		if (!*end && !errno)
			return json_integer(i);
		r = strtod(s, &end);
		if (!*end)
			return json_real(r);
	}
	return json_string(s);
}

static json_t *convert(yaml_document_t *doc, int index, unsigned depth)
{
	yaml_node_t *n = yaml_document_get_node(doc, index), *k;
	json_t *out;

	if (depth > 64) /* also an alias inside what it names */
		fail(n->start_mark.line, "nested too deep");
	if (n->type == YAML_SCALAR_NODE)
		return scalar(n);
	if (n->type == YAML_SEQUENCE_NODE) {
		out = json_array();
		for (yaml_node_item_t *i = n->data.sequence.items.start;
		     i < n->data.sequence.items.top; i++)
			json_array_append_new(out, convert(doc, *i, depth + 1));
		return out;
	}
	out = json_object();
	for (yaml_node_pair_t *p = n->data.mapping.pairs.start; p < n->data.mapping.pairs.top;
	     p++) {
		k = yaml_document_get_node(doc, p->key);
		if (k->type != YAML_SCALAR_NODE)
			fail(k->start_mark.line, "a key must be a scalar");
		if (json_object_get(out, (const char *)k->data.scalar.value))
			fail(k->start_mark.line, "a key is there twice");
		if (json_object_set_new(out, (const char *)k->data.scalar.value,
					convert(doc, p->value, depth + 1)))
			fail(k->start_mark.line, "not UTF-8");
	}
	return out;
}

int main(int argc, char **argv)
{
	yaml_document_t doc;
	yaml_parser_t parser;
	json_t *out;
	FILE *in;

	if (argc != 3) {
		fputs("usage: yaml2json IN OUT\n", stderr);
		return 2;
	}
	in_path = argv[1];
	in = fopen(in_path, "rb");
	if (!in || !yaml_parser_initialize(&parser))
		fail(0, strerror(errno));
	yaml_parser_set_input_file(&parser, in);
	if (!yaml_parser_load(&parser, &doc))
		fail(parser.problem_mark.line, parser.problem ? parser.problem : "no memory");
	if (!yaml_document_get_root_node(&doc))
		fail(0, "empty");
	out = convert(&doc, 1, 0); /* the root is node 1 */
	yaml_document_delete(&doc);
	yaml_parser_delete(&parser);
	fclose(in);
	if (json_dump_file(out, argv[2], JSON_COMPACT)) {
		fprintf(stderr, "yaml2json: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	json_decref(out);
	return 0;
}
