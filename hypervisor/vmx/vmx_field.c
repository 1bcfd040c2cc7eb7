/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmx_field.c - the fields of a vcpu's VMCS and our copy of them, and on which CPU the VMCS is
 * active.
 * Owns the lists of active VMCSs. Locking: a CPU's list is changed on that CPU with interrupts off;
 * vv->cpu is atomic, and changes to another CPU only by the vcpu's thread. Not saved.
 * Source: Intel SDM Vol 3C 24.11 "Software Use of the VMCS and Related Structures".
 */
#include "vmx/vmx.h"

#include "vmx/vmx_insn.h"

static const struct {
	const char *name;
	uint16_t encoding;
} vmx_fields[VMX_FIELD_COUNT] = {
#define VMX_CLASS(name, first)
#define VMX_FIELD(name, encoding) [VMX_##name] = { #name, encoding },
#include "vmx/vmx_fields.def"
#undef VMX_FIELD
#undef VMX_CLASS
};

const char *vmx_field_name(enum vmx_field f)
{
	return vmx_fields[f].name;
}

/* -- on which CPU ------------------------------------------------------------------------------ */

/* On the CPU where it is active, interrupts off. */
static void vmx_deactivate_here(struct vmx_cpu *c, struct vmx_vcpu *vv)
{
	struct vmx_vcpu **link = &c->active;

	while (*link && *link != vv)
		link = &(*link)->active_next;
	if (*link)
		*link = vv->active_next;
	if (c->current == vv)
		c->current = NULL;
	vmx_vmclear(vv->vmcs_hpa);
	vv->launched = false;
	__atomic_store_n(&vv->cpu, HW_NO_CPU, __ATOMIC_RELEASE);
}

void vmx_deactivate_all(struct vmx_cpu *c)
{
	while (c->active)
		vmx_deactivate_here(c, c->active);
}

/* Called by interrupt on the CPU where it was active a moment ago. */
static void vmx_deactivate_call(void *arg)
{
	struct vmx_vcpu *vv = arg;
	unsigned int cpu = hvm_os_cpu();

	if (__atomic_load_n(&vv->cpu, __ATOMIC_RELAXED) == cpu)
		vmx_deactivate_here(vmx_host.cpu[cpu], vv);
}

/* Where a CPU went away, it has done it itself before. */
void vmx_deactivate(struct vmx_vcpu *vv)
{
	uint32_t cpu = __atomic_load_n(&vv->cpu, __ATOMIC_ACQUIRE);

	if (cpu != HW_NO_CPU)
		hvm_os_call_cpu(cpu, vmx_deactivate_call, vv);
}

int vmx_activate(struct vmx_vcpu *vv)
{
	unsigned int cpu = hvm_os_cpu();
	struct vmx_cpu *c = cpu < VMX_MAX_CPUS ? vmx_host.cpu[cpu] : NULL;
	int rc = -HVM_EIO;

	if (!c)
		return rc;
	if (__atomic_load_n(&vv->cpu, __ATOMIC_ACQUIRE) != cpu)
		vmx_deactivate(vv);
	hvm_os_irq_disable();
	if (c->on) {
		if (c->current != vv)
			vmx_vmptrld(vv->vmcs_hpa);
		c->current = vv;
		if (__atomic_load_n(&vv->cpu, __ATOMIC_RELAXED) != cpu) {
			vv->active_next = c->active;
			c->active = vv;
			__atomic_store_n(&vv->cpu, cpu, __ATOMIC_RELEASE);
		}
		rc = 0;
	}
	hvm_os_irq_enable();
	return rc;
}

/* -- fields ------------------------------------------------------------------------------------ */

/* Interrupts off. After the host's end of VMX operation there is nothing to be read. */
static void vmx_fetch_here(struct vmx_vcpu *vv, enum vmx_field f)
{
	if (__atomic_load_n(&vv->cpu, __ATOMIC_RELAXED) != hvm_os_cpu())
		return;
	vv->value[f] = vmx_vmread(vmx_fields[f].encoding);
	vv->valid[f / 64] |= HVM_BIT(f % 64);
}

uint64_t vmx_fetch(struct vmx_vcpu *vv, enum vmx_field f)
{
	if (vv->irqs_off) {
		vmx_fetch_here(vv, f);
		return vv->value[f];
	}
	/* Pinned, and the VMCS is current; but the host may be on its way down. */
	if (vv->is_loaded) {
		hvm_os_irq_disable();
		vmx_fetch_here(vv, f);
		hvm_os_irq_enable();
		return vv->value[f];
	}
	hvm_os_pin();
	if (!vmx_activate(vv)) {
		hvm_os_irq_disable();
		vmx_fetch_here(vv, f);
		hvm_os_irq_enable();
	}
	hvm_os_unpin();
	return vv->value[f];
}

void vmx_fields_sync(struct vmx_vcpu *vv)
{
	uint64_t missing = ~vv->valid[0];

	hvm_os_pin();
	if (!vmx_activate(vv)) {
		hvm_os_irq_disable();
		for (; missing; missing &= missing - 1) {
			unsigned int f = (unsigned int)__builtin_ctzll(missing);

			if (vmx_fields[f].name)
				vmx_fetch_here(vv, f);
		}
		hvm_os_irq_enable();
	}
	hvm_os_unpin();
}

void vmx_fields_flush(struct vmx_vcpu *vv)
{
	for (unsigned int w = 0; w < VMX_FIELD_WORDS; w++) {
		uint64_t dirty = vv->dirty[w];

		for (; dirty; dirty &= dirty - 1) {
			unsigned int f = 64 * w + (unsigned int)__builtin_ctzll(dirty);

			vmx_vmwrite(vmx_fields[f].encoding, vv->value[f]);
		}
		vv->dirty[w] = 0;
	}
}

/* What nearly every exit's handler asks for: one by one, with interrupts on, they cost more. */
#define VMX_USUAL(M) \
	M(VMX_EXIT_REASON) \
	M(VMX_EXIT_QUALIFICATION) \
	M(VMX_EXIT_INSN_LEN) \
	M(VMX_IDT_VECTORING) \
	M(VMX_GUEST_INTR_STATUS) \
	M(VMX_GUEST_RIP) \
	M(VMX_GUEST_RFLAGS) \
	M(VMX_GUEST_INTERRUPTIBILITY)

void vmx_fields_collect(struct vmx_vcpu *vv)
{
	uint64_t valid[VMX_FIELD_WORDS] = { 0 };

#define VMX_COLLECT(f) \
	vv->value[f] = vmx_vmread(vmx_fields[f].encoding); \
	valid[(f) / 64] |= HVM_BIT((f) % 64);
	VMX_USUAL(VMX_COLLECT)
#undef VMX_COLLECT
	vv->valid[VMX_GUEST_ES_SELECTOR / 64] = valid[VMX_GUEST_ES_SELECTOR / 64];
	vv->valid[VMX_EXIT_GPA / 64] = valid[VMX_EXIT_GPA / 64];
}
