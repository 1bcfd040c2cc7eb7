/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * avx_insn.c - what instructions of x86-64-v3 compute: AVX, AVX2, FMA and F16C as printed; BMI,
 * LZCNT, TZCNT and MOVBE against loops over bits. Only results and flags that the manuals define.
 * Also an ordinary program of the host (native.c), whose processor has made the expected output.
 * Source: Intel SDM Vol 2 of each instruction.
 */
#include "avx.h"

/* -- vectors ----------------------------------------------------------------------------------- */

static union ymm a, b, c, out;
static uint64_t general;

/*
 * V(name, kind, code) - ymm1 is a, ymm2 b, rsi the address of b, ymm0 c and the result; rax, a's
 * first word before, is printed too. kind: what a, b, c hold.
 */
#define FLAGS "\n pushfq\n pop %%rax\n and $0x8d5, %%eax"
/* clang-format off */
#define VECTORS(V) \
	V(vaddps, SINGLE, "vaddps %%ymm2, %%ymm1, %%ymm0") \
	V(vaddps_128, SINGLE, "vaddps (%5), %%xmm1, %%xmm0") \
	V(vsubpd, DOUBLE, "vsubpd (%5), %%ymm1, %%ymm0") \
	V(vmulss, SINGLE, "vmulss %%xmm2, %%xmm1, %%xmm0") \
	V(vdivsd, DOUBLE, "vdivsd (%5), %%xmm1, %%xmm0") \
	V(vsqrtps, SINGLE, "vsqrtps %%ymm2, %%ymm0") \
	V(vminps, SINGLE, "vminps %%ymm2, %%ymm1, %%ymm0") \
	V(vmaxpd, DOUBLE, "vmaxpd %%ymm2, %%ymm1, %%ymm0") \
	V(vhaddps, SINGLE, "vhaddps %%ymm2, %%ymm1, %%ymm0") \
	V(vaddsubpd, DOUBLE, "vaddsubpd %%ymm2, %%ymm1, %%ymm0") \
	V(vdpps, SINGLE, "vdpps $0xf5, %%ymm2, %%ymm1, %%ymm0") \
	V(vcmpps_neq, SINGLE, "vcmpneqps %%ymm2, %%ymm1, %%ymm0") \
	V(vcmpps_true, SINGLE, "vcmpps $0x1f, %%ymm2, %%ymm1, %%ymm0") \
	V(vcmpsd_nge, DOUBLE, "vcmpsd $0x19, %%xmm2, %%xmm1, %%xmm0") \
	V(vroundps, SINGLE, "vroundps $1, %%ymm1, %%ymm0") \
	V(vroundsd, DOUBLE, "vroundsd $2, %%xmm2, %%xmm1, %%xmm0") \
	V(vcvtps2pd, SINGLE, "vcvtps2pd %%xmm1, %%ymm0") \
	V(vcvtpd2ps, DOUBLE, "vcvtpd2ps %%ymm1, %%xmm0") \
	V(vcvttps2dq, SINGLE, "vcvttps2dq %%ymm1, %%ymm0") \
	V(vcvtdq2pd, WORDS, "vcvtdq2pd %%xmm1, %%ymm0") \
	V(vcvttpd2dq, DOUBLE, "vcvttpd2dq %%ymm1, %%xmm0") \
	V(vcvtsi2sd, WORDS, "vcvtsi2sd %%rax, %%xmm1, %%xmm0") \
	V(vcvttss2si, SINGLE, "vcvttss2si %%xmm1, %%rax") \
	V(vcvtsd2si, DOUBLE, "vcvtsd2si %%xmm1, %%eax") \
	V(vucomiss, SINGLE, "vucomiss %%xmm2, %%xmm1" FLAGS) \
	V(vcomisd, DOUBLE, "vcomisd (%5), %%xmm1" FLAGS) \
	V(vmovmskps, WORDS, "vmovmskps %%ymm1, %%eax") \
	V(vtestps, WORDS, "vtestps %%ymm2, %%ymm1" FLAGS) \
	V(vptest, WORDS, "vptest %%ymm1, %%ymm1" FLAGS) \
	V(vfmadd132ps, SINGLE, "vfmadd132ps %%ymm2, %%ymm1, %%ymm0") \
	V(vfmsub213pd, DOUBLE, "vfmsub213pd %%ymm2, %%ymm1, %%ymm0") \
	V(vfnmadd231ss, SINGLE, "vfnmadd231ss (%5), %%xmm1, %%xmm0") \
	V(vfnmsub132sd, DOUBLE, "vfnmsub132sd %%xmm2, %%xmm1, %%xmm0") \
	V(vfmaddsub231ps, SINGLE, "vfmaddsub231ps %%ymm2, %%ymm1, %%ymm0") \
	V(vfmsubadd213pd, DOUBLE, "vfmsubadd213pd (%5), %%ymm1, %%ymm0") \
	V(vcvtph2ps, WORDS, "vcvtph2ps (%5), %%ymm0") \
	V(vcvtps2ph, SINGLE, "vcvtps2ph $0, %%ymm1, %%xmm0") \
	V(vcvtps2ph_down, SINGLE, "vcvtps2ph $1, %%xmm1, %%xmm0") \
	V(vpaddq, WORDS, "vpaddq %%ymm2, %%ymm1, %%ymm0") \
	V(vpsubusw, WORDS, "vpsubusw %%ymm2, %%ymm1, %%ymm0") \
	V(vpmulld, WORDS, "vpmulld (%5), %%ymm1, %%ymm0") \
	V(vpmuludq, WORDS, "vpmuludq %%ymm2, %%ymm1, %%ymm0") \
	V(vpmaddubsw, WORDS, "vpmaddubsw %%ymm2, %%ymm1, %%ymm0") \
	V(vpsadbw, WORDS, "vpsadbw %%ymm2, %%ymm1, %%ymm0") \
	V(vmpsadbw, WORDS, "vmpsadbw $0x2d, %%ymm2, %%ymm1, %%ymm0") \
	V(vpabsb, WORDS, "vpabsb %%ymm1, %%ymm0") \
	V(vpsignw, WORDS, "vpsignw %%ymm2, %%ymm1, %%ymm0") \
	V(vpavgb, WORDS, "vpavgb %%ymm2, %%ymm1, %%ymm0") \
	V(vpcmpgtq, WORDS, "vpcmpgtq %%ymm0, %%ymm1, %%ymm0") \
	V(vpminud, WORDS, "vpminud %%ymm2, %%ymm1, %%ymm0") \
	V(vphminposuw, WORDS, "vphminposuw %%xmm1, %%xmm0") \
	V(vpackusdw, WORDS, "vpackusdw %%ymm2, %%ymm1, %%ymm0") \
	V(vpunpckhbw, WORDS, "vpunpckhbw %%ymm2, %%ymm1, %%ymm0") \
	V(vpshufb, WORDS, "vpshufb %%ymm2, %%ymm1, %%ymm0") \
	V(vpshufd, WORDS, "vpshufd $0x1b, %%ymm1, %%ymm0") \
	V(vpshufhw, WORDS, "vpshufhw $0x4e, %%ymm1, %%ymm0") \
	V(vpalignr, WORDS, "vpalignr $21, %%ymm2, %%ymm1, %%ymm0") \
	V(vshufps, WORDS, "vshufps $0x72, %%ymm2, %%ymm1, %%ymm0") \
	V(vblendps, WORDS, "vblendps $0x69, %%ymm2, %%ymm1, %%ymm0") \
	V(vpblendw, WORDS, "vpblendw $0xc5, %%ymm2, %%ymm1, %%ymm0") \
	V(vpblendd, WORDS, "vpblendd $0x35, %%ymm2, %%ymm1, %%ymm0") \
	V(vblendvpd, WORDS, "vmovdqa %%ymm0, %%ymm13\n vblendvpd %%ymm13, %%ymm2, %%ymm1, %%ymm0") \
	V(vpblendvb, WORDS, "vpblendvb %%ymm0, (%5), %%ymm1, %%ymm0") \
	V(vpermilps, WORDS, "vpermilps %%ymm2, %%ymm1, %%ymm0") \
	V(vpermilpd, WORDS, "vpermilpd $0xa, %%ymm1, %%ymm0") \
	V(vperm2f128, WORDS, "vperm2f128 $0x83, %%ymm2, %%ymm1, %%ymm0") \
	V(vpermd, WORDS, "vpermd %%ymm2, %%ymm1, %%ymm0") \
	V(vpermq, WORDS, "vpermq $0x2d, %%ymm1, %%ymm0") \
	V(vinserti128, WORDS, "vinserti128 $1, %%xmm2, %%ymm1, %%ymm0") \
	V(vextractf128, WORDS, "vextractf128 $1, %%ymm1, %%xmm0") \
	V(vbroadcastsd, WORDS, "vbroadcastsd %%xmm1, %%ymm0") \
	V(vbroadcasti128, WORDS, "vbroadcasti128 (%5), %%ymm0") \
	V(vpbroadcastw, WORDS, "vpbroadcastw 6(%5), %%ymm0") \
	V(vpsllvd, WORDS, "vpsrld $26, %%ymm2, %%ymm3\n vpsllvd %%ymm3, %%ymm1, %%ymm0") \
	V(vpsravd, WORDS, "vpsrld $26, %%ymm2, %%ymm3\n vpsravd %%ymm3, %%ymm1, %%ymm0") \
	V(vpsrlvq, WORDS, "vpsrlq $57, %%ymm2, %%ymm3\n vpsrlvq %%ymm3, %%ymm1, %%ymm0") \
	V(vpsraw, WORDS, "vpsraw $5, %%ymm1, %%ymm0") \
	V(vpslldq, WORDS, "vpslldq $7, %%ymm1, %%ymm0") \
	V(vpsrlq_far, WORDS, "vpsrlq $64, %%ymm1, %%ymm0") \
	V(vpmovsxbq, WORDS, "vpmovsxbq %%xmm1, %%ymm0") \
	V(vpmovzxwd, WORDS, "vpmovzxwd (%5), %%ymm0") \
	V(vpmovmskb, WORDS, "vpmovmskb %%ymm1, %%eax") \
	V(vpinsrq, WORDS, "vpinsrq $1, %%rax, %%xmm2, %%xmm0") \
	V(vpextrw, WORDS, "vpextrw $5, %%xmm1, %%eax") \
	V(vinsertps, WORDS, "vinsertps $0xd2, %%xmm2, %%xmm1, %%xmm0") \
	V(vmovlhps, WORDS, "vmovlhps %%xmm2, %%xmm1, %%xmm0") \
	V(vmovhps, WORDS, "vmovhps 8(%5), %%xmm1, %%xmm0") \
	V(vmovss, WORDS, "vmovss %%xmm2, %%xmm1, %%xmm0") \
	V(vmovsd_memory, WORDS, "vmovsd 8(%5), %%xmm0") \
	V(vmovddup, WORDS, "vmovddup %%ymm1, %%ymm0") \
	V(vlddqu, WORDS, "vlddqu (%5), %%ymm0") \
	V(vpcmpistri, WORDS, "vpcmpistri $0x44, %%xmm2, %%xmm1\n mov %%ecx, %%eax") \
	V(vpcmpestrm, WORDS, "mov $9, %%eax\n mov $13, %%edx\n vpcmpestrm $0x48, %%xmm2, %%xmm1" FLAGS) \
	V(vmaskmovps, WORDS, "vmaskmovps (%5), %%ymm1, %%ymm0") \
	V(vpmaskmovq_store, WORDS, "vpmaskmovq %%ymm0, %%ymm1, (%5)\n vmovdqa (%5), %%ymm0") \
	V(vgatherdps, WORDS, "vpsrld $30, %%ymm1, %%ymm3\n vgatherdps %%ymm0, (%5,%%ymm3,4), %%ymm2\n" \
		"vpxor %%ymm2, %%ymm0, %%ymm0") \
	V(vpgatherqd, WORDS, "vpsrlq $62, %%ymm1, %%ymm3\n vpgatherqd %%xmm0, (%5,%%ymm3,8), %%xmm2\n" \
		"vpxor %%ymm2, %%ymm0, %%ymm0") \
	V(vpgatherdq, WORDS, "vpsrld $30, %%ymm1, %%ymm3\n vpgatherdq %%ymm0, (%5,%%xmm3,8), %%ymm2\n" \
		"vpxor %%ymm2, %%ymm0, %%ymm0")

#define V(name, kind, code) \
	static void v_##name(void) \
	{ \
		__asm__ volatile("vmovdqa %2, %%ymm1\n vmovdqa %3, %%ymm2\n vmovdqa %4, %%ymm0\n" code \
				 "\n vmovdqa %%ymm0, %0" \
				 : "=m"(out), "+a"(general) \
				 : "m"(a), "m"(b), "m"(c), "S"(&b) \
				 : "rcx", "rdx", "memory", "cc"); \
	}
VECTORS(V)
#undef V

enum kind { WORDS, SINGLE, DOUBLE };

static const struct {
	const char *name;
	enum kind kind;
	void (*fn)(void);
} vectors[] = {
#define V(name, kind, code) { #name, kind, v_##name },
	VECTORS(V)
#undef V
};
/* clang-format on */

static void fill(enum kind kind)
{
	static const union ymm single[3] = {
		{ .d = { 0x3fc00000, 0xc0100000, 0x501502f9, 0x80000000, 0x40400000, 0x7f800000,
			 0x7fc12345, 0x3dcccccd } },
		{ .d = { 0x40e80000, 0x3f000001, 0xbf800000, 0, 0x40490fdb, 0x3f800000, 0x41200000,
			 0x7f7fffff } },
		{ .d = { 0x41000000, 0x3eaaaaab, 0x7f000000, 0x80000000, 0xc2c80000, 0xff800000, 1,
			 0x00800000 } },
	};
	static const union ymm full[3] = {
		{ .q = { 0x4009000000000000, 0xc1e0000000200000, 0x7ff0000000000000,
			 0x3fb999999999999a } },
		{ .q = { 0x3ff0000000000001, 0x40f869f000000000, 0x3ca0000000000000,
			 0x0010000000000000 } },
		{ .q = { 0xbff8000000000000, 0x4000000000000000, 0xfff0000000000000,
			 0x3fd5555555555555 } },
	};
	const union ymm *from = kind == SINGLE ? single : full;

	if (kind == WORDS) {
		ymm_random(&a, 1, 0x9e3779b97f4a7c15);
		ymm_random(&b, 1, 0xbf58476d1ce4e5b9);
		ymm_random(&c, 1, 0x94d049bb133111eb);
	} else {
		a = from[0];
		b = from[1];
		c = from[2];
	}
	general = a.q[0];
}

static void all_vectors(void)
{
	const uint32_t mxcsr = 0x1f80;

	for (unsigned int i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		fill(vectors[i].kind);
		__asm__ volatile("vldmxcsr %0" : : "m"(mxcsr));
		vectors[i].fn();
		say("%s: %lx %lx %lx %lx, %lx", vectors[i].name, out.q[3], out.q[2], out.q[1],
		    out.q[0], general);
	}
	__asm__ volatile("vzeroupper");
}

/* -- general registers ------------------------------------------------------------------------- */

#define CF 0x001u
#define ZF 0x040u
#define SF 0x080u
#define OF 0x800u

/* x, y: sources; r, r2: results; flags before and after. */
struct scalar {
	uint64_t x, y, r, r2, flags;
};

#define G(name, code) \
	static void g_##name(struct scalar *s) \
	{ \
		__asm__ volatile("push %2\n popfq\n" code "\n pushfq\n pop %2" \
				 : "+a"(s->r), "+d"(s->r2), "+r"(s->flags) \
				 : "S"(s->x), "D"(s->y), "b"(s) \
				 : "rcx", "memory", "cc"); \
	}
G(andn, "andn %%rdi, %%rsi, %%rax")
G(blsr, "blsr %%esi, %%eax")
G(blsi, "blsi %%rsi, %%rax")
G(blsmsk, "blsmsk %%rsi, %%rax")
G(bzhi, "bzhi %%rdi, %%rsi, %%rax")
G(bzhi32, "bzhi %%edi, %%esi, %%eax")
G(bextr, "bextr %%rdi, %%rsi, %%rax")
G(bextr32, "bextr %%edi, (%5), %%eax")
G(pext, "pext %%rdi, %%rsi, %%rax")
G(pdep32, "pdep %%edi, %%esi, %%eax")
G(mulx, "xchg %%rsi, %%rdx\n mulx %%rdi, %%rax, %%rcx\n mov %%rsi, %%rdx\n mov %%rcx, %%rdx")
G(rorx, "rorx $13, %%rsi, %%rax")
G(rorx32, "rorx $13, %%esi, %%eax")
G(sarx, "sarx %%rdi, %%rsi, %%rax")
G(shlx32, "shlx %%edi, (%5), %%eax")
G(shrx, "shrx %%rdi, (%5), %%rax")
G(lzcnt, "lzcnt %%rsi, %%rax")
G(lzcnt16, "lzcnt %%si, %%ax")
G(tzcnt, "tzcnt %%rsi, %%rax")
G(tzcnt32, "tzcnt (%5), %%eax")
G(movbe, "movbe (%5), %%rax")
G(movbe32, "movbe (%5), %%eax")
G(movbe16, "movbe (%5), %%ax")
G(movbe_store, "movbe %%rsi, (%5)\n mov (%5), %%rax\n mov %%rsi, (%5)")

static uint32_t flags_of(uint64_t v, unsigned int bits)
{
	return (v ? 0 : ZF) | (v >> (bits - 1) & 1 ? SF : 0);
}

static uint64_t low_bits(unsigned int n)
{
	return n >= 64 ? ~0ull : (1ull << n) - 1;
}

static void e_andn(struct scalar *s)
{
	s->r = ~s->x & s->y;
	s->flags = flags_of(s->r, 64);
}

static void e_blsr(struct scalar *s)
{
	uint32_t x = (uint32_t)s->x, r = x;

	for (unsigned int i = 0; i < 32; i++) {
		if (x >> i & 1) {
			r = x ^ 1u << i;
			break;
		}
	}
	s->r = r;
	s->flags = flags_of(r, 32) | (x ? 0 : CF);
}

static void e_blsi(struct scalar *s)
{
	s->r = 0;
	for (unsigned int i = 0; i < 64 && !s->r; i++)
		s->r = s->x & 1ull << i;
	s->flags = flags_of(s->r, 64) | (s->x ? CF : 0);
}

static void e_blsmsk(struct scalar *s)
{
	s->r = 0;
	for (unsigned int i = 0; i < 64; i++) {
		s->r |= 1ull << i;
		if (s->x >> i & 1)
			break;
	}
	s->flags = (flags_of(s->r, 64) & SF) | (s->x ? 0 : CF);
}

static void zero_high(struct scalar *s, unsigned int bits)
{
	unsigned int n = s->y & 0xff;

	s->r = s->x & low_bits(bits) & low_bits(n);
	s->flags = flags_of(s->r, bits) | (n > bits - 1 ? CF : 0);
}

static void e_bzhi(struct scalar *s)
{
	zero_high(s, 64);
}

static void e_bzhi32(struct scalar *s)
{
	zero_high(s, 32);
}

static void extract(struct scalar *s, unsigned int bits)
{
	unsigned int start = s->y & 0xff, len = s->y >> 8 & 0xff;

	s->r = start >= bits ? 0 : (s->x & low_bits(bits)) >> start & low_bits(len);
	s->flags = s->r ? 0 : ZF;
}

static void e_bextr(struct scalar *s)
{
	extract(s, 64);
}

static void e_bextr32(struct scalar *s)
{
	extract(s, 32);
}

static void e_pext(struct scalar *s)
{
	unsigned int n = 0;

	s->r = 0;
	for (unsigned int i = 0; i < 64; i++)
		if (s->y >> i & 1)
			s->r |= (s->x >> i & 1) << n++;
}

static void e_pdep32(struct scalar *s)
{
	unsigned int n = 0;

	s->r = 0;
	for (unsigned int i = 0; i < 32; i++)
		if (s->y >> i & 1)
			s->r |= (s->x >> n++ & 1) << i;
}

static void e_mulx(struct scalar *s)
{
	s->r = 0;
	s->r2 = 0;
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t low = s->x << i;

		if (!(s->y >> i & 1))
			continue;
		s->r2 += (i ? s->x >> (64 - i) : 0) + (s->r + low < low);
		s->r += low;
	}
}

static void e_rorx(struct scalar *s)
{
	s->r = s->x >> 13 | s->x << 51;
}

static void e_rorx32(struct scalar *s)
{
	s->r = (uint32_t)s->x >> 13 | (uint32_t)s->x << 19;
}

static void e_sarx(struct scalar *s)
{
	s->r = (uint64_t)((int64_t)s->x >> (s->y & 63));
}

static void e_shlx32(struct scalar *s)
{
	s->r = (uint32_t)s->x << (s->y & 31);
}

static void e_shrx(struct scalar *s)
{
	s->r = s->x >> (s->y & 63);
}

/* Zeros above, or below, of @bits. */
static uint64_t zeros(uint64_t x, unsigned int bits, bool below)
{
	for (unsigned int i = 0; i < bits; i++)
		if (x >> (below ? i : bits - 1 - i) & 1)
			return i;
	return bits;
}

static void count(struct scalar *s, unsigned int bits, bool below)
{
	uint64_t n = zeros(s->x, bits, below);

	s->r = bits == 16 ? (s->r & ~0xffffull) | n : n;
	s->flags = (n == bits ? CF : 0) | (n ? 0 : ZF);
}

static void e_lzcnt(struct scalar *s)
{
	count(s, 64, false);
}

static void e_lzcnt16(struct scalar *s)
{
	count(s, 16, false);
}

static void e_tzcnt(struct scalar *s)
{
	count(s, 64, true);
}

static void e_tzcnt32(struct scalar *s)
{
	count(s, 32, true);
}

static uint64_t swapped(uint64_t x, unsigned int bytes)
{
	uint64_t r = 0;

	for (unsigned int i = 0; i < bytes; i++)
		r |= (x >> 8 * i & 0xff) << 8 * (bytes - 1 - i);
	return r;
}

static void e_movbe(struct scalar *s)
{
	s->r = swapped(s->x, 8);
}

static void e_movbe32(struct scalar *s)
{
	s->r = swapped(s->x, 4);
}

static void e_movbe16(struct scalar *s)
{
	s->r = (s->r & ~0xffffull) | swapped(s->x, 2);
}

static void e_movbe_store(struct scalar *s)
{
	e_movbe(s);
}

/* flags: those that are defined; the others are not looked at. */
static const struct {
	const char *name;
	void (*fn)(struct scalar *s), (*expected)(struct scalar *s);
	uint32_t flags;
} scalars[] = {
#define ROW(name, flags) \
	{ \
#name, g_##name, e_##name, flags \
	}
	ROW(andn, CF | ZF | SF | OF),
	ROW(blsr, CF | ZF | SF | OF),
	ROW(blsi, ZF | SF | OF), /* CF: avx_strict.c */
	ROW(blsmsk, CF | ZF | SF | OF),
	ROW(bzhi, CF | ZF | SF | OF),
	ROW(bzhi32, CF | ZF | SF | OF),
	ROW(bextr, CF | ZF | OF),
	ROW(bextr32, CF | ZF | OF),
	/* These leave flags alone. */
	ROW(pext, CF | ZF | SF | OF),
	ROW(pdep32, CF | ZF | SF | OF),
	ROW(mulx, CF | ZF | SF | OF),
	ROW(rorx, CF | ZF | SF | OF),
	ROW(rorx32, CF | ZF | SF | OF),
	ROW(sarx, CF | ZF | SF | OF),
	ROW(shlx32, CF | ZF | SF | OF),
	ROW(shrx, CF | ZF | SF | OF),
	ROW(lzcnt, CF | ZF),
	ROW(lzcnt16, CF | ZF),
	ROW(tzcnt, CF | ZF),
	ROW(tzcnt32, CF | ZF),
	ROW(movbe, CF | ZF | SF | OF),
	ROW(movbe32, CF | ZF | SF | OF),
	ROW(movbe16, CF | ZF | SF | OF),
	ROW(movbe_store, CF | ZF | SF | OF),
#undef ROW
};

static uint64_t source(uint64_t *seed, unsigned int n)
{
	static const uint64_t fixed[] = { 0, 1, 1ull << 63, ~0ull, 0x80000000, 0x8000, 0xffffffff };
	uint64_t v = next_random(seed);

	if (n < sizeof(fixed) / sizeof(fixed[0]))
		return fixed[n];
	return n & 1 ? v >> (v & 63) : v & v << 7;
}

static void all_scalars(void)
{
	for (unsigned int i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
		unsigned int wrong = 0, tried = 0;
		uint64_t seed = 42;

		for (unsigned int x = 0; x < 24; x++) {
			for (unsigned int y = 0; y < 24; y++) {
				struct scalar s = { .r = next_random(&seed), .flags = 2 };
				struct scalar e;

				if ((x ^ y) & 1)
					s.flags |= CF | ZF | SF | OF;
				s.x = source(&seed, x);
				s.y = source(&seed, y);
				s.r2 = 0;
				e = s;
				scalars[i].fn(&s);
				scalars[i].expected(&e);
				tried++;
				wrong += s.r != e.r || s.r2 != e.r2 ||
					 ((s.flags ^ e.flags) & scalars[i].flags);
			}
		}
		say("%s: %u wrong of %u", scalars[i].name, wrong, tried);
	}
}

int main(void)
{
#ifndef GUEST_NATIVE
	avx_on();
#endif
	all_vectors();
	all_scalars();
	return 0;
}
