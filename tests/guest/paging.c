/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paging.c - what page tables allow and leave behind: rights, accessed and dirty bits, pages of all
 * sizes, global pages, write protection off, SMEP and SMAP, process contexts, and memory that is
 * seen under two addresses. Source: AMD APM Vol 2 ch. 5 "Page Translation and Protection".
 */
#include "guest.h"

extern uint64_t page_tables[6][512];

static uint8_t arena[8][4096] __attribute__((aligned(4096)));
static uint64_t other_pml4[512] __attribute__((aligned(4096)));
static uint64_t extra[4][512] __attribute__((aligned(4096)));

#define HIGH 0x200000000000ull /* PML4[64] */

static void access(const char *name, volatile void *p)
{
	TRY("mov (%0), %%rax", "r"(p));
	say("%s: read %lu/%lx", name, caught.vector, caught.vector == 14 ? caught.error : 0);
	TRY("mov %%rax, (%0)", "r"(p));
	say("%s: write %lu/%lx", name, caught.vector, caught.vector == 14 ? caught.error : 0);
}

extern uint64_t user_address;
uint64_t user_address;

__attribute__((naked)) static void user_read(void)
{
	__asm__ volatile("mov user_address, %rax\n mov (%rax), %rax\n int $0x80");
}

__attribute__((naked)) static void user_write(void)
{
	__asm__ volatile("mov user_address, %rax\n mov %rax, (%rax)\n int $0x80");
}

static void user_access(const char *name, volatile void *p)
{
	user_address = (uintptr_t)p;
	user_call((uintptr_t)user_read, 0x2b);
	say("%s: user reads %lu/%lx", name, caught.vector, caught.vector == 14 ? caught.error : 0);
	user_call((uintptr_t)user_write, 0x2b);
	say("%s: user writes %lu/%lx", name, caught.vector, caught.vector == 14 ? caught.error : 0);
}

static void rights(void)
{
	static const struct {
		const char *name;
		uint64_t clear, set;
	} rows[] = {
		{ "all", 0, 0 },    { "read-only", 2, 0 },
		{ "kernel", 4, 0 }, { "kernel read-only", 6, 0 },
		{ "absent", 1, 0 }, { "no execution", 0, 1ull << 63 },
	};
	volatile uint64_t *pte = pte_of(arena[1]);
	uint64_t old = *pte;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*pte = (old & ~rows[i].clear) | rows[i].set;
		invlpg(arena[1]);
		access(rows[i].name, arena[1]);
		user_access(rows[i].name, arena[1]);
	}
	*pte = old & ~2ull;
	invlpg(arena[1]);
	set_cr0(cr0() & ~0x10000ull);
	access("read-only without WP", arena[1]);
	set_cr0(cr0() | 0x10000);
	*pte = old;
	invlpg(arena[1]);
}

static void accessed_dirty(void)
{
	volatile uint64_t *pte = pte_of(arena[2]);
	uint64_t *pde = &page_tables[2][(uintptr_t)arena >> 21];
	uint64_t seen[4];

	*pte &= ~0x60ull;
	*pde &= ~0x20ull;
	set_cr3(cr3());
	seen[0] = *pte & 0x60;
	(void)*(volatile uint8_t *)arena[2];
	seen[1] = *pte & 0x60;
	*(volatile uint8_t *)arena[2] = 1;
	seen[2] = *pte & 0x60;
	say("accessed and dirty: %lx %lx %lx, of the directory %lx", seen[0], seen[1], seen[2],
	    *pde & 0x60);
	*pte &= ~0x60ull;
	invlpg(arena[2]);
	*(volatile uint8_t *)arena[2] = 2;
	say("after a write: %lx", *pte & 0x60);
	*pte &= ~0x62ull;
	invlpg(arena[2]);
	TRY("mov %%eax, (%0)", "r"(arena[2]));
	say("after a write that is refused: %lx", *pte & 0x60);
	*pte |= 2;
	invlpg(arena[2]);
	TRY("xor %%eax, %%eax\n mov %%eax, %%ecx\n rep stosb", "m"(pte));
	TRY("lock cmpxchgl %%ecx, (%0)", "r"(arena[2]));
	say("after cmpxchg: %lx", *pte & 0x60);
}

/* The same memory at HIGH with pages of 1 GiB, 2 MiB and 4 KiB. */
static void sizes(void)
{
	uint64_t offset = (uintptr_t)arena[3];
	volatile uint64_t *word = (volatile uint64_t *)arena[3];
	volatile uint64_t *big = (volatile uint64_t *)(HIGH + offset);
	volatile uint64_t *medium = (volatile uint64_t *)(HIGH + (1ull << 30) + offset);
	volatile uint64_t *small = (volatile uint64_t *)(HIGH + (2ull << 30) + (offset & 0x1fffff));

	page_tables[0][64] = (uintptr_t)extra[0] | 7;
	extra[0][0] = 0x87;
	extra[0][1] = (uintptr_t)extra[1] | 7;
	extra[0][2] = (uintptr_t)extra[2] | 7;
	for (unsigned int i = 0; i < 512; i++)
		extra[1][i] = ((uint64_t)i << 21) | 0x87;
	extra[2][0] = (uintptr_t)extra[3] | 7;
	for (unsigned int i = 0; i < 512; i++)
		extra[3][i] = (offset & ~0x1fffffull) + ((uint64_t)i << 12) + 7;
	set_cr3(cr3());
	*word = 0x1234;
	say("1 GiB %lx", *big);
	*big = 0x5678;
	say("2 MiB %lx", *medium);
	*medium = 0x9abc;
	say("4 KiB %lx", *small);
	*small = 0xdef0;
	say("and back %lx, dirty %lx %lx %lx", *word, extra[0][0] & 0x60,
	    extra[1][offset >> 21 & 511] & 0x60, extra[3][offset >> 12 & 511] & 0x60);
	extra[0][0] |= 1ull << 13; /* reserved in a page of 1 GiB */
	set_cr3(cr3());
	TRY("mov (%0), %%rax", "r"(big));
	say("reserved bit of a large page: %lu/%lx", caught.vector, (uint64_t)caught.error & ~1ul);
	extra[0][0] = 0x87;
	extra[0][3] = 0;
	TRY("mov (%0), %%rax", "r"(HIGH + (3ull << 30)));
	say("no table: %lu/%lx cr2 %lx", caught.vector, caught.error, caught.cr2);
	set_cr3(cr3());
}

/* A page that moves: seen at once after INVLPG, a write of CR3, or the end of global pages. */
static void flushes(void)
{
	volatile uint64_t *pte = pte_of(arena[4]);
	uint64_t old = *pte, a = (uintptr_t)arena[5] | 7, b = (uintptr_t)arena[6] | 7;
	volatile uint64_t *p = (volatile uint64_t *)arena[4];

	*(volatile uint64_t *)arena[5] = 5;
	*(volatile uint64_t *)arena[6] = 6;
	for (unsigned int i = 0; i < 6; i++) {
		*pte = i & 1 ? b : a;
		if (i < 2)
			invlpg(p);
		else if (i < 4)
			set_cr3(cr3());
		else
			set_cr4(cr4() ^ 0x80);
		say("moved page %lx", *p);
	}
	*pte = a | 0x100;
	invlpg(p);
	set_cr4(cr4() | 0x80);
	say("global page %lx", *p);
	*pte = b | 0x100;
	invlpg(p);
	say("global page after INVLPG %lx", *p);
	*pte = a | 0x100;
	set_cr4(cr4() & ~0x80ull);
	set_cr4(cr4() | 0x80);
	say("global page after CR4.PGE %lx", *p);
	*pte = old;
	invlpg(p);
}

static void contexts(void)
{
	uint64_t main_cr3 = cr3();
	bool has_pcid;

	for (unsigned int i = 0; i < 512; i++)
		other_pml4[i] = page_tables[0][i];
	other_pml4[64] = 0;
	TRY("mov %%cr4, %%rax\n or $0x20000, %%rax\n mov %%rax, %%cr4", "m"(page_tables));
	has_pcid = caught.vector == 0xff;
	for (unsigned int round = 0; round < 2; round++) {
		set_cr4(cr4() & ~0x20000ull);
		if (round && has_pcid)
			set_cr4(cr4() | 0x20000);
		set_cr3((uintptr_t)other_pml4 | (round && has_pcid));
		TRY("mov (%0), %%rax", "r"(HIGH + 0x100000));
		say("other tables: %lu/%lx", caught.vector, caught.vector == 14 ? caught.error : 0);
		set_cr3(main_cr3);
		TRY("mov (%0), %%rax", "r"(HIGH + 0x100000));
		say("these tables: %lu", caught.vector);
		set_cr3((uintptr_t)other_pml4 | (round && has_pcid) |
			(uint64_t)(round && has_pcid) << 63);
		TRY("mov (%0), %%rax", "r"(HIGH + 0x100000));
		say("and the others again: %lu/%lx", caught.vector,
		    caught.vector == 14 ? caught.error : 0);
		set_cr3(main_cr3);
	}
	set_cr4(cr4() & ~0x20000ull);
	set_cr3(main_cr3);
}

static void supervisor_data(void)
{
	volatile uint64_t *pte = pte_of(arena[7]);

	/* All but one page become the kernel's: the whole directory, then the one page's way. */
	for (unsigned int i = 0; i < 512; i++) {
		if (!(page_tables[2][i] & 0x80)) {
			uint64_t *table = (uint64_t *)(uintptr_t)(page_tables[2][i] & ~0xfffull);

			for (unsigned int j = 0; j < 512; j++)
				table[j] &= ~4ull;
		} else {
			page_tables[2][i] &= ~4ull;
		}
	}
	*pte |= 4;
	set_cr3(cr3());
	set_cr4(cr4() | 0x300000);
	TRY("mov (%0), %%rax", "r"(arena[7]));
	say("SMAP: read %lu/%lx", caught.vector, caught.vector == 14 ? caught.error : 0);
	TRY("stac\n mov (%0), %%rax\n clac", "r"(arena[7]));
	say("SMAP: read with AC %lu", caught.vector);
	TRY("call *%0", "r"(arena[7]));
	say("SMEP: execution %lu/%lx", caught.vector, caught.vector == 14 ? caught.error : 0);
	set_cr4(cr4() & ~0x300000ull);
}

int main(void)
{
	tss_init();
	rights();
	accessed_dirty();
	sizes();
	flushes();
	contexts();
	supervisor_data();
	return 0;
}
