/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svm_msr.c - the permission maps, and RDMSR and WRMSR of what they do not let through.
 * The maps are made once and the same for all domains; they are read-only from then on.
 * Source: AMD APM Vol 2 15.10 "IOIO Intercepts", 15.11 "MSR Intercepts".
 */
#include "svm/svm.h"

#include "x86/ctlreg.h"
#include "x86/host.h"

#define SVM_MSRPM_BYTES 8192u
#define SVM_IOPM_BYTES	12288u

#define SVM_EFER_SVME 0x1000u

/* What VMLOAD and VMSAVE switch is the guest's own. */
static const uint32_t svm_free_msrs[] = {
	0x174,	    0x175,	0x176,			/* SYSENTER */
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, /* SYSCALL */
	0xc0000100, 0xc0000101, 0xc0000102,		/* FS, GS, kernel GS base */
};

/* Two bits an MSR, read and write, in three stretches of 8192. */
static void svm_msrpm_free(uint8_t *map, uint32_t index)
{
	unsigned int stretch = index >= 0xc0010000u ? 2 : index >= 0xc0000000u ? 1 : 0;
	unsigned int bit = stretch * 0x4000 + (index & 0x1fff) * 2;

	map[bit / 8] &= (uint8_t) ~(3u << bit % 8);
}

int svm_maps_create(void)
{
	svm_host.msrpm = hvm_os_alloc_pages(SVM_MSRPM_BYTES);
	svm_host.iopm = hvm_os_alloc_pages(SVM_IOPM_BYTES);
	if (!svm_host.msrpm || !svm_host.iopm) {
		svm_maps_destroy();
		return -HVM_ENOMEM;
	}
	memset(svm_host.msrpm, 0xff, SVM_MSRPM_BYTES);
	memset(svm_host.iopm, 0xff, SVM_IOPM_BYTES);
	for (size_t n = 0; n < HVM_ARRAY_SIZE(svm_free_msrs); n++)
		svm_msrpm_free(svm_host.msrpm, svm_free_msrs[n]);
	svm_host.msrpm_hpa = hvm_os_hva_to_hpa(svm_host.msrpm);
	svm_host.iopm_hpa = hvm_os_hva_to_hpa(svm_host.iopm);
	return 0;
}

void svm_maps_destroy(void)
{
	hvm_os_free_pages(svm_host.msrpm, SVM_MSRPM_BYTES);
	hvm_os_free_pages(svm_host.iopm, SVM_IOPM_BYTES);
	svm_host.msrpm = NULL;
	svm_host.iopm = NULL;
}

static int svm_read_msr(struct svm_vcpu *sv, uint32_t index, uint64_t *ret)
{
	switch (index) {
	case HOST_MSR_EFER: *ret = sv->vmcb->efer & ~(uint64_t)SVM_EFER_SVME; return 0;
	case HOST_MSR_TSC_AUX: *ret = sv->tsc_aux; return 0;
	}
	return hvm_msr_read(sv->vcpu, index, ret);
}

static int svm_write_efer(struct svm_vcpu *sv, uint64_t value)
{
	struct svm_vmcb *b = sv->vmcb;
	const struct x86_ctlregs r = { .cr0 = b->cr0,
				       .cr3 = b->cr3,
				       .cr4 = b->cr4,
				       .efer = b->efer & ~(uint64_t)SVM_EFER_SVME };

	if (!x86_efer_write_ok(&r, value))
		return -HVM_EINVAL;
	value = (value & ~(uint64_t)X86_EFER_LMA) | (r.efer & X86_EFER_LMA);
	if ((value ^ r.efer) & X86_EFER_NXE)
		hw_flush(&sv->hw);
	b->efer = value | SVM_EFER_SVME;
	svm_touch(sv, SVM_CLEAN_CR);
	return 0;
}

static int svm_write_tsc_aux(struct svm_vcpu *sv, uint64_t value)
{
	if (value >> 32)
		return -HVM_EINVAL;
	sv->tsc_aux = value;
	if (svm_host.features.has_tsc_aux)
		host_wrmsr(HOST_MSR_TSC_AUX, value);
	return 0;
}

static int svm_write_msr(struct svm_vcpu *sv, uint32_t index, uint64_t value)
{
	int rc;

	if (index == HOST_MSR_EFER)
		return svm_write_efer(sv, value);
	if (index == HOST_MSR_TSC_AUX)
		return svm_write_tsc_aux(sv, value);
	rc = hvm_msr_write(sv->vcpu, index, value);
	if (!rc && index == HOST_MSR_PRED_CMD && (value & 1) && svm_host.features.has_ibpb)
		host_wrmsr(HOST_MSR_PRED_CMD, 1);
	return rc;
}

/* exitinfo1: 1 is WRMSR. The processor has checked CPL. */
int svm_exit_msr(struct svm_vcpu *sv, struct hvm_exit *ret)
{
	uint32_t index = (uint32_t)sv->gpr[X86_RCX];
	uint64_t value = (uint32_t)sv->gpr[X86_RAX] | sv->gpr[X86_RDX] << 32;
	int rc;

	(void)ret;
	if (sv->vmcb->exitinfo1) {
		rc = svm_write_msr(sv, index, value);
	} else {
		rc = svm_read_msr(sv, index, &value);
		if (!rc) {
			sv->gpr[X86_RAX] = (uint32_t)value;
			sv->gpr[X86_RDX] = value >> 32;
		}
	}
	if (rc) {
		svm_inject_exception(sv, X86_GP, 0);
		return HW_RESUME;
	}
	return svm_skip(sv);
}
