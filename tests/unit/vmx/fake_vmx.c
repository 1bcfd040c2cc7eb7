/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fake_vmx.c - see fake_vmx.h. Stands for vmx_load.c and vmx_asm.S as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_vmx.h"
#include "vmx/vmx_insn.h"

struct fake_vmx fake;

static const uint16_t encodings[VMX_FIELD_COUNT] = {
#define VMX_CLASS(name, first)
#define VMX_FIELD(name, encoding) [VMX_##name] = encoding,
#include "vmx/vmx_fields.def"
#undef VMX_FIELD
#undef VMX_CLASS
};

/* The fields of a VMCS do not lie in its page: what software finds there means nothing. */
static struct {
	hpa_t hpa;
	unsigned int active_on; /* CPU + 1 */
	uint64_t value[FAKE_FIELDS];
} vmcs[4];

void fake_vmx_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(vmcs, 0, sizeof(vmcs));
	fake_hw_reset();
	fake.vmx = true;
	fake.cr4 = 1u << 18;
	fake.ept_vpid = ~0ull;
	memset(fake.may, 0xff, sizeof(fake.may));
	fake.must[VMX_WORD_PIN] = 0x16;
	fake.must[VMX_WORD_ENTRY] = 0x11fb;
}

/* -- CPUID, MSRs ------------------------------------------------------------------------------- */

struct host_cpuid host_cpuid_leaf(uint32_t leaf, uint32_t subleaf)
{
	struct host_cpuid r = { 0 };

	(void)subleaf;
	if (leaf == 1)
		r = (struct host_cpuid){ .ecx = (fake.vmx ? ~0u : ~0x20u) & ~fake_lacks.leaf1_ecx,
					 .edx = ~0u };
	else if (leaf == 7)
		r = (struct host_cpuid){ .ebx = ~fake_lacks.leaf7_ebx,
					 .ecx = ~0u,
					 .edx = 1u << 29 | (uint32_t)fake.flush_msr << 28 };
	else if (leaf == 0x80000001)
		r = (struct host_cpuid){ .ecx = ~fake_lacks.ext1_ecx, .edx = ~0u };
	else if (leaf == 0x80000008)
		r.eax = 0x3034;
	else if (leaf == 0xd)
		r.eax = 7;
	return r;
}

uint64_t host_rdmsr(uint32_t index)
{
	static const enum vmx_control_word words[] = { VMX_WORD_PIN, VMX_WORD_PROC, VMX_WORD_EXIT,
						       VMX_WORD_ENTRY };
	enum vmx_control_word w;

	switch (index) {
	case 0x10a: return !fake.l1tf; /* RDCL_NO */
	case 0x3a: return fake.locked_off ? 1 : 5;
	case 0x480: return 0x1234 | HVM_BIT(32) * 4096 | 6ull << 50 | HVM_BIT(55);
	case 0x486: return 0x80000021;
	case 0x487: return 0xffffffff;
	case 0x488: return 0x2000;
	case 0x489: return 0x3767ff;
	case 0x48b: return (uint64_t)fake.may[VMX_WORD_PROC2] << 32 | fake.must[VMX_WORD_PROC2];
	case 0x48c: return fake.ept_vpid;
	case HOST_MSR_EFER: return 0xd01;
	}
	if (index < 0x48d || index > 0x490)
		return 0;
	w = words[index - 0x48d];
	return (uint64_t)fake.may[w] << 32 | fake.must[w];
}

void host_wrmsr(uint32_t index, uint64_t value)
{
	(void)index;
	(void)value;
}

uint64_t host_cr4(void)
{
	return fake.cr4;
}

void host_machine_check(void)
{
}

void host_nmi(void)
{
}

uint64_t host_dr(unsigned int n)
{
	return fake.dr[n];
}

void host_set_dr(unsigned int n, uint64_t value)
{
	fake.dr[n] = value;
}

/* -- VMX instructions -------------------------------------------------------------------------- */

static unsigned int vmcs_of(hpa_t hpa)
{
	unsigned int n = 0;

	while (n < 4 && vmcs[n].hpa && vmcs[n].hpa != hpa)
		n++;
	assert_true(n < 4);
	vmcs[n].hpa = hpa;
	return n;
}

bool vmx_on(hpa_t region)
{
	uint32_t revision = *(const uint32_t *)(uintptr_t)region;

	assert_int_equal(revision, 0x1234);
	fake.on[fake.cpu] = true;
	return false;
}

void vmx_off(void)
{
	for (unsigned int n = 0; n < 4; n++)
		assert_int_not_equal(vmcs[n].active_on, fake.cpu + 1);
	fake.on[fake.cpu] = false;
}

bool vmx_vmclear(hpa_t hpa)
{
	unsigned int n = vmcs_of(hpa);

	assert_true(fake.on[fake.cpu]);
	assert_true(!vmcs[n].active_on || vmcs[n].active_on == fake.cpu + 1);
	vmcs[n].active_on = 0;
	if (fake.current[fake.cpu] == vmcs[n].value)
		fake.current[fake.cpu] = NULL;
	fake.clears++;
	return false;
}

/* One that is active on another CPU would be torn in two. */
bool vmx_vmptrld(hpa_t hpa)
{
	unsigned int n = vmcs_of(hpa);

	assert_true(fake.on[fake.cpu]);
	assert_int_equal(*(const uint32_t *)(uintptr_t)hpa, 0x1234);
	assert_true(!vmcs[n].active_on || vmcs[n].active_on == fake.cpu + 1);
	vmcs[n].active_on = fake.cpu + 1;
	fake.current[fake.cpu] = vmcs[n].value;
	return false;
}

uint64_t vmx_vmread(uint64_t encoding)
{
	assert_non_null(fake.current[fake.cpu]);
	fake.reads++;
	return fake.current[fake.cpu][encoding];
}

bool vmx_vmwrite(uint64_t encoding, uint64_t value)
{
	assert_non_null(fake.current[fake.cpu]);
	fake.writes++;
	fake.current[fake.cpu][encoding] = value;
	return false;
}

bool vmx_do_invept(uint64_t type, uint64_t ept_pointer)
{
	(void)type;
	(void)ept_pointer;
	fake.invepts++;
	return false;
}

bool vmx_do_invvpid(uint64_t type, uint32_t vpid)
{
	(void)type;
	(void)vpid;
	fake.invvpids++;
	return false;
}

uint64_t fake_get(enum vmx_field f)
{
	return fake.current[fake.cpu][encodings[f]];
}

void fake_set(enum vmx_field f, uint64_t value)
{
	fake.current[fake.cpu][encodings[f]] = value;
}

/* -- vmx_asm.S, vmx_load.c --------------------------------------------------------------------- */

void vmx_exit_point(void)
{
}

int vmx_enter(struct vmx_vcpu *vv, uint32_t launched)
{
	uint64_t valid = vv->valid[0];
	unsigned int reads = fake.reads;
	char rule[120];

	if (fake.refuse) {
		fake_set(VMX_INSN_ERROR, VMX_ERROR_CONTROLS);
		return 1;
	}
	if (vmx_check_entry(vv, rule, sizeof(rule)))
		fail_msg("entry with %s", rule);
	/* To check is not to look. */
	vv->valid[0] = valid;
	fake.reads = reads;
	assert_int_equal(launched, fake.entries > 0 && vv->launched);
	fake.entries++;
	fake_set(VMX_EXIT_REASON, VMX_REASON_INTR);
	fake_set(VMX_IDT_VECTORING, 0);
	fake.guest(vv);
	fake_set(VMX_ENTRY_EVENT, fake_get(VMX_ENTRY_EVENT) & ~VMX_EVENT_VALID);
	return 0;
}

void vmx_host_constant(struct vmx_vcpu *vv)
{
	vmx_write(vv, VMX_HOST_CS_SELECTOR, 0x10);
	vmx_write(vv, VMX_HOST_SS_SELECTOR, 0x18);
	vmx_write(vv, VMX_HOST_TR_SELECTOR, 0x40);
	vmx_write(vv, VMX_HOST_CR0, 0x80050033);
	vmx_write(vv, VMX_HOST_CR4, 0x3626f0);
}

/* As the real one: a new CPU may have old translations. */
int vmx_load(struct vmx_vcpu *vv, struct vmx_cpu *c, unsigned int cpu)
{
	(void)c;
	if (vv->last_cpu != cpu) {
		vv->last_cpu = cpu;
		vv->vpid_generation = 0;
		vv->hw.flush = 1;
	}
	hw_put_fpu(vv->vcpu, vv->fpu);
	return 0;
}

void vmx_put(struct vmx_vcpu *vv)
{
	fake_fpu.xcr0 = 7;
	hw_take_fpu(vv->vcpu, vv->fpu);
}

void vmx_enter_host(struct vmx_vcpu *vv)
{
	(void)vv;
}

void vmx_leave_host(struct vmx_vcpu *vv)
{
	(void)vv;
}

void vmx_load_debug(struct vmx_vcpu *vv)
{
	vv->dr_loaded = true;
	vmx_control(vv, VMX_PROC_CONTROLS, VMX_PROC_MOV_DR, false);
}

/* -- the kernel -------------------------------------------------------------------------------- */

unsigned int hvm_os_cpu(void)
{
	return fake.cpu;
}

void hvm_os_cpu_kick(unsigned int cpu)
{
	(void)cpu;
	fake.kicks++;
}

bool hvm_os_must_leave(void)
{
	return false;
}

void hvm_os_call_cpu(unsigned int cpu, void (*fn)(void *arg), void *arg)
{
	unsigned int here = fake.cpu;

	fake.cpu = cpu;
	fn(arg);
	fake.cpu = here;
}

static void (*fake_off)(void);

int hvm_os_on_each_cpu(int (*on)(void), void (*off)(void), uint64_t cr4)
{
	int rc = 0;

	assert_int_equal(cr4, 1u << 13);
	for (fake.cpu = 0; fake.cpu < FAKE_CPUS && !rc; fake.cpu++)
		rc = on();
	fake.cpu = 0;
	fake_off = off;
	return rc;
}

void hvm_os_off_each_cpu(void)
{
	for (fake.cpu = 0; fake_off && fake.cpu < FAKE_CPUS; fake.cpu++)
		fake_off();
	fake.cpu = 0;
	fake_off = NULL;
}
