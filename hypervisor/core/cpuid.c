/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpuid.c - the CPUID policy: what a domain's model shows, the same on every host, less what the
 * processor of a hardware vendor lacks; which maker it names follows the vendor too.
 * Source: Intel SDM Vol 2A "CPUID"; x86-64 psABI "Processor Feature Levels".
 */
#include "core/domain.h"
#include "devices/chips.h"

#define CPUID_SIGNATURE 0x000106a5u /* family 6 model 26 */
#define CPUID_AMD	0x00060fb1u /* family 15 model 107: long mode, before AMD's own extensions */
#define CPUID_PHYS_BITS 40u
#define CPUID_VIRT_BITS 48u
#define XEN_VERSION	((4u << 16) | 17u)
#define XEN_PAGE_MSR	0x40000000u

/* Feature bits, each with the first model that shows it. */
struct cpuid_bit {
	uint8_t bit;
	uint8_t model; /* enum hvm_cpu_model */
};

static const struct cpuid_bit leaf1_ecx[] = {
	{ 0, HVM_CPU_V2 },  /* SSE3 */
	{ 9, HVM_CPU_V2 },  /* SSSE3 */
	{ 12, HVM_CPU_V3 }, /* FMA */
	{ 13, HVM_CPU_V2 }, /* CMPXCHG16B */
	{ 17, HVM_CPU_V2 }, /* PCID */
	{ 19, HVM_CPU_V2 }, /* SSE4.1 */
	{ 20, HVM_CPU_V2 }, /* SSE4.2 */
	{ 21, HVM_CPU_V1 }, /* x2APIC */
	{ 22, HVM_CPU_V3 }, /* MOVBE */
	{ 23, HVM_CPU_V2 }, /* POPCNT */
	{ 24, HVM_CPU_V1 }, /* TSC deadline */
	{ 26, HVM_CPU_V2 }, /* XSAVE */
	{ 28, HVM_CPU_V3 }, /* AVX */
	{ 29, HVM_CPU_V3 }, /* F16C */
	{ 31, HVM_CPU_V1 }, /* a hypervisor is here */
};

/* FPU DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2. */
static const uint8_t leaf1_edx[] = { 0,	 2,  3,	 4,  5,	 6,  7,	 8,  11, 12,
				     13, 14, 15, 16, 17, 19, 23, 24, 25, 26 };

static const struct cpuid_bit leaf7_ebx[] = {
	{ 0, HVM_CPU_V2 },  /* FSGSBASE */
	{ 3, HVM_CPU_V3 },  /* BMI1 */
	{ 5, HVM_CPU_V3 },  /* AVX2 */
	{ 7, HVM_CPU_V2 },  /* SMEP */
	{ 8, HVM_CPU_V3 },  /* BMI2 */
	{ 9, HVM_CPU_V1 },  /* fast REP MOVSB/STOSB */
	{ 10, HVM_CPU_V2 }, /* INVPCID */
	{ 20, HVM_CPU_V2 }, /* SMAP */
};

static const struct cpuid_bit leaf7_ecx[] = { { 2, HVM_CPU_V2 } /* UMIP */ };
/* IBRS and IBPB; ARCH_CAPABILITIES, whose answer is that this processor leaks nothing. */
static const struct cpuid_bit leaf7_edx[] = { { 26, HVM_CPU_V1 }, { 29, HVM_CPU_V1 } };
/* LAHF in 64-bit mode, LZCNT. */
static const struct cpuid_bit ext1_ecx[] = { { 0, HVM_CPU_V2 }, { 5, HVM_CPU_V3 } };
/* SYSCALL NX PDPE1GB RDTSCP LM. */
static const uint8_t ext1_edx[] = { 11, 20, 26, 27, 29 };

static uint32_t cpuid_bits(const struct vcpu *v, const struct cpuid_bit *bits, size_t count)
{
	uint32_t r = 0;

	for (size_t i = 0; i < count; i++) {
		if (v->domain->config.cpu_model >= bits[i].model)
			r |= 1u << bits[i].bit;
	}
	return r;
}
#define CPUID_BITS(v, table) cpuid_bits(v, table, HVM_ARRAY_SIZE(table))

static uint32_t cpuid_all(const uint8_t *bits, size_t count)
{
	uint32_t r = 0;

	for (size_t i = 0; i < count; i++)
		r |= 1u << bits[i];
	return r;
}

static bool cpuid_is_amd(const struct vcpu *v)
{
	return v->domain->ops && v->domain->ops->cpu_is_amd;
}

static void cpuid_maker(const struct vcpu *v, uint32_t *out)
{
	static const char maker[2][13] = { "GenuntelineI", "AuthcAMDenti" }; /* EBX ECX EDX */

	memcpy(&out[1], maker[cpuid_is_amd(v)], 12);
}

static void cpuid_leaf0(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	(void)s;
	(void)sub;
	/*
	 * No leaf 15H: Linux multiplies crystal and ratio in 32 bits, which a 1 GHz APIC clock with
	 * an exact ratio overflows; it calibrates against the PIT instead.
	 */
	out[0] = 0xd;
	cpuid_maker(v, out);
}

static void cpuid_leaf1(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	unsigned int vcpus = v->domain->vcpu_count;

	(void)sub;
	out[0] = cpuid_is_amd(v) ? CPUID_AMD : CPUID_SIGNATURE;
	out[1] = vlapic_id(v) << 24 | vcpus << 16 | 8u << 8;
	out[2] = CPUID_BITS(v, leaf1_ecx);
	if (s->osxsave && (out[2] & (1u << 26)))
		out[2] |= 1u << 27;
	out[3] = cpuid_all(leaf1_edx, sizeof(leaf1_edx));
	if (vlapic_is_enabled(v))
		out[3] |= 1u << 9;
	if (vcpus > 1)
		out[3] |= 1u << 28;
}

/*
 * Caches. Programs choose ways to copy memory by their sizes, so none is worse than one that is not
 * the host's. Each vcpu has its own first and second level.
 */
struct cpuid_cache {
	uint8_t type; /* 1 data, 2 instructions, 3 both */
	uint8_t level;
	uint8_t ways;
	uint16_t sets; /* less one */
};
#define CACHE_LINE 64u

static const struct cpuid_cache cpuid_caches[] = {
	{ 1, 1, 8, 63 },     /* 32 KiB */
	{ 2, 1, 8, 63 },     /* 32 KiB */
	{ 3, 2, 16, 1023 },  /* 1 MiB */
	{ 3, 3, 16, 16383 }, /* 16 MiB */
};

/* Leaf 4 has what there is to know. */
static void cpuid_leaf2(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	(void)s;
	(void)sub;
	if (!cpuid_is_amd(v))
		out[0] = 0xff01;
}

static void cpuid_leaf4(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	const struct cpuid_cache *c;
	uint32_t cores = 1;

	(void)s;
	if (cpuid_is_amd(v) || sub >= HVM_ARRAY_SIZE(cpuid_caches))
		return;
	c = &cpuid_caches[sub];
	while (cores < v->domain->vcpu_count)
		cores *= 2;
	out[0] = (cores - 1) << 26 | (c->level == 3 ? cores - 1 : 0) << 14 | 1u << 8 |
		 (uint32_t)c->level << 5 | c->type;
	out[1] = (c->ways - 1u) << 22 | (CACHE_LINE - 1);
	out[2] = c->sets;
}

static void cpuid_leaf6(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	(void)v;
	(void)s;
	(void)sub;
	out[0] = 1u << 2; /* the APIC timer always runs */
}

static void cpuid_leaf7(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	(void)s;
	if (sub)
		return;
	out[1] = CPUID_BITS(v, leaf7_ebx);
	out[2] = CPUID_BITS(v, leaf7_ecx);
	out[3] = CPUID_BITS(v, leaf7_edx);
}

/* Topology: one thread a core, all cores in one package. */
static void cpuid_leafb(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	(void)s;
	out[2] = sub & 0xff;
	out[3] = vlapic_id(v);
	if (sub == 0) {
		out[1] = 1;
		out[2] |= 1u << 8;
	} else if (sub == 1) {
		out[0] = 4;
		out[1] = v->domain->vcpu_count;
		out[2] |= 2u << 8;
	}
}

static void cpuid_leafd(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub,
			uint32_t *out)
{
	bool avx = v->domain->config.cpu_model >= HVM_CPU_V3;

	if (v->domain->config.cpu_model < HVM_CPU_V2)
		return;
	if (sub == 0) {
		out[0] = HVM_XSTATE_X87 | HVM_XSTATE_SSE | (avx ? HVM_XSTATE_AVX : 0);
		out[1] = s->xcr0 & HVM_XSTATE_AVX ? HVM_XSAVE_BYTES : HVM_XSAVE_LEGACY_BYTES;
		out[2] = avx ? HVM_XSAVE_BYTES : HVM_XSAVE_LEGACY_BYTES;
	} else if (sub == 1) {
		out[0] = 1; /* XSAVEOPT */
	} else if (sub == 2 && avx) {
		out[0] = HVM_XSAVE_BYTES - HVM_XSAVE_LEGACY_BYTES;
		out[1] = HVM_XSAVE_LEGACY_BYTES; /* where AVX begins */
	}
}

static void cpuid_ext0(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)s;
	(void)sub;
	out[0] = 0x80000008;
	if (cpuid_is_amd(v))
		cpuid_maker(v, out);
}

static void cpuid_ext1(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)s;
	(void)sub;
	out[2] = CPUID_BITS(v, ext1_ecx);
	if (cpuid_is_amd(v) && v->domain->vcpu_count > 1)
		out[2] |= 1u << 1; /* CMP_LEGACY: cores, not threads */
	out[3] = cpuid_all(ext1_edx, sizeof(ext1_edx));
}

static void cpuid_brand(struct vcpu *v, uint32_t leaf, uint32_t *out)
{
	static const char *const brand[] = {
		[HVM_CPU_V1] = "hvm virtual CPU v1",
		[HVM_CPU_V2] = "hvm virtual CPU v2",
		[HVM_CPU_V3] = "hvm virtual CPU v3",
	};
	char text[48] = { 0 };
	const char *name = brand[v->domain->config.cpu_model];

	for (size_t i = 0; name[i] && i < sizeof(text) - 1; i++)
		text[i] = name[i];
	memcpy(out, text + (size_t)(leaf - 0x80000002) * 16, 16);
}

/* The same caches in AMD's form, which has the second level in Intel's processors too. */
static void cpuid_ext5(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)s;
	(void)sub;
	if (cpuid_is_amd(v))
		out[2] = out[3] = 32u << 24 | 8u << 16 | 1u << 8 | CACHE_LINE;
}

#define CACHE_16_WAYS (8u << 12)

static void cpuid_ext6(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)s;
	(void)sub;
	out[2] = 1024u << 16 | CACHE_16_WAYS | 1u << 8 | CACHE_LINE;
	if (cpuid_is_amd(v))
		out[3] = (16384u / 512) << 18 | CACHE_16_WAYS | 1u << 8 | CACHE_LINE;
}

static void cpuid_ext7(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)v;
	(void)s;
	(void)sub;
	out[3] = 1u << 8; /* invariant TSC */
}

static void cpuid_ext8(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out)
{
	(void)s;
	(void)sub;
	out[0] = CPUID_VIRT_BITS << 8 | CPUID_PHYS_BITS;
	/* Cores less one; bits of the APIC id that tell them apart. */
	if (cpuid_is_amd(v))
		out[2] = 4u << 12 | (v->domain->vcpu_count - 1);
}

/*
 * The hypervisor leaves that firmware looks for. An operating system must not take the host for
 * Xen; it probes with paging on, and then they are not there.
 */
static void cpuid_xen(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t leaf, uint32_t *out)
{
	(void)v;
	if (s->paging)
		return;
	if (leaf == 0x40000000) {
		out[0] = 0x40000002;
		memcpy(&out[1], "XenVMMXenVMM", 12);
	} else if (leaf == 0x40000001) {
		out[0] = XEN_VERSION;
	} else if (leaf == 0x40000002) {
		out[0] = 1;
		out[1] = XEN_PAGE_MSR;
	}
}

static const struct {
	uint32_t leaf;
	void (*fill)(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t sub, uint32_t *out);
} cpuid_leaves[] = {
	{ 0x0, cpuid_leaf0 },	    { 0x1, cpuid_leaf1 },	{ 0x2, cpuid_leaf2 },
	{ 0x4, cpuid_leaf4 },	    { 0x6, cpuid_leaf6 },	{ 0x7, cpuid_leaf7 },
	{ 0xb, cpuid_leafb },	    { 0xd, cpuid_leafd },	{ 0x80000000, cpuid_ext0 },
	{ 0x80000001, cpuid_ext1 }, { 0x80000005, cpuid_ext5 }, { 0x80000006, cpuid_ext6 },
	{ 0x80000007, cpuid_ext7 }, { 0x80000008, cpuid_ext8 },
};

static void cpuid_show(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t leaf,
		       uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	if (leaf >= 0x40000000 && leaf <= 0x40000002) {
		cpuid_xen(v, s, leaf, out);
		return;
	}
	if (leaf >= 0x80000002 && leaf <= 0x80000004) {
		cpuid_brand(v, leaf, out);
		return;
	}
	for (size_t i = 0; i < HVM_ARRAY_SIZE(cpuid_leaves); i++) {
		if (cpuid_leaves[i].leaf == leaf) {
			cpuid_leaves[i].fill(v, s, subleaf, out);
			break;
		}
	}
	if (v->domain->ops && v->domain->ops->cpuid_filter)
		v->domain->ops->cpuid_filter(v, leaf, subleaf, out);
}

void hvm_cpuid(struct vcpu *v, const struct hvm_cpuid_state *s, uint32_t leaf, uint32_t subleaf,
	       uint32_t out[4])
{
	v->stats.cpuid++;
	cpuid_show(v, s, leaf, subleaf, out);
}

/* No instruction of the guest's, so it does not count. */
uint64_t hvm_xcr0_allowed(struct vcpu *v)
{
	const struct hvm_cpuid_state s = { .paging = true };
	uint32_t out[4];

	cpuid_show(v, &s, 0xd, 0, out);
	return out[0];
}
