/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions: what each sends to ioemu, and what becomes of the answer. Which are allowed when is in
 * domain.c's table.
 */
#include "domain/domain.h"
#include "hvmd.h"
#include <string.h>

#define STOP_GRACE_MS 10000

static const struct action *find_action(const char *name)
{
	for (size_t i = 0; i < domain_action_count; i++) {
		if (!strcmp(domain_actions[i].name, name))
			return &domain_actions[i];
	}
	return NULL;
}

static void on_answer(struct domain *d, void *arg, json_t *result, const char *code,
		      const char *detail)
{
	const struct action *a = arg;

	(void)result;
	if (!strcmp(a->name, "stop")) {
		/* The end of the process is the answer; a refusal is settled by force. A lost
		 * connection is no refusal: it may be writing exit.json, the kill timer runs. */
		if (code && strcmp(code, "ioemu-unreachable"))
			vm_kill(d);
		return;
	}
	if (!code && a->then >= 0 && (d->state == DOM_RUNNING || d->state == DOM_PAUSED))
		domain_set_state(d, (enum dom_state)a->then, "%s", "");
	domain_op_finish(d, code, detail);
}

/* config.json: the definition with resolved paths, plus uuid and firmware. */
static json_t *make_config(const struct domain *d, struct problem *p)
{
	json_t *c = json_deep_copy(d->def);

	if (!definition_check_files(d->def, c, p)) {
		json_decref(c);
		return NULL;
	}
	json_object_del(c, "nics");
	json_object_del(c, "labels");
	json_object_del(c, "autostart");
	json_object_set_new(c, "uuid", json_string(d->uuid));
	json_object_set_new(c, "firmware",
			    json_pack("{s:s, s:s, s:s}", "hvmloader", hvmd.hvmloader, "bios",
				      hvmd.bios, "vgabios", hvmd.vgabios));
	return c;
}

static bool act_start(struct domain *d, struct op_request *r, struct problem *p)
{
	enum dom_state old = d->state;
	json_t *config;

	if (d->vm || vm_alive(d)) {
		problem_set(p, 409, "wrong-state", "the former ioemu of \"%s\" has not ended yet",
			    d->name);
		return false;
	}
	config = make_config(d, p);
	if (!config)
		return false;
	if (!domain_op_begin(d, r, DOM_STARTING, p)) {
		json_decref(config);
		return false;
	}
	json_decref(d->last_error);
	d->last_error = NULL; /* that was the former run */
	if (vm_spawn(d, config, p)) {
		domain_set_state(d, old, "start failed: %.400s", p->detail);
		domain_op_finish(d, p->code, p->detail);
		json_decref(config);
		return false;
	}
	json_decref(config);
	return true;
}

/**
 * Begin an action; on success r->id is the operation, which may already be finished.
 * False with the problem when it was refused: nothing has changed then.
 */
bool domain_act(struct domain *d, struct op_request *r, struct problem *p)
{
	const struct action *a = find_action(r->action);
	bool stop = a && !strcmp(a->name, "stop");

	if (d->op[0]) {
		problem_set(p, 409, "operation-in-progress", "operation %s is under way", d->op);
		return false;
	}
	if (!a || !(a->from & (1u << d->state))) {
		problem_set(p, 409, "wrong-state", "%s is not possible while \"%s\" is %s",
			    r->action, d->name, dom_state_names[d->state]);
		return false;
	}
	if (!strcmp(a->name, "start"))
		return act_start(d, r, p);
	if (!domain_op_begin(d, r, stop ? DOM_STOPPING : d->state, p))
		return false;
	if (vm_call(d, a->name, r->params, on_answer, (void *)a)) {
		if (stop)
			vm_kill(d);
		else
			domain_op_finish(d, "ioemu-unreachable", "ioemu does not answer");
	} else if (stop) {
		vm_kill_after(d, STOP_GRACE_MS);
	}
	return true;
}
