/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsdt.asl - the machine for ACPI: PCI host bridge with its windows and interrupt routing, the
 * PIIX3's interrupt links and ISA devices, HPET, and the soft-off state. Processors are in the SSDT
 * that acpi.c makes, since their number varies.
 * Source: ACPI Specification 6.4 ch. 6 "Device Configuration"; Intel 82371AB (PIIX4) datasheet.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "HVM", "HVMDSDT", 1)
{
	/* PIIX4: SLP_TYP 0 is soft off. */
	Name (\_S5, Package () { 0x00, 0x00, 0x00, 0x00 })

	/* 0: PICs, 1: IOAPIC; the operating system tells. */
	Name (\PICF, Zero)
	Method (\_PIC, 1, NotSerialized)
	{
		PICF = Arg0
	}

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0x0000, 0x0000, 0x00FF, 0x0000, 0x0100)
				IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0x0000, 0x0CF7, 0x0000, 0x0CF8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0x0D00, 0xFFFF, 0x0000, 0xF300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite,
					0x00000000, 0x000A0000, 0x000BFFFF, 0x00000000, 0x00020000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0x00000000, 0xE0000000, 0xFEBFFFFF, 0x00000000, 0x1EC00000)
			})

			/* INTx of device D is PIRQ (D + x) & 3: a link (PIC) or GSI 16-19 (IOAPIC). */
			Method (_PRT, 0, NotSerialized)
			{
				Local0 = Package (128) {}
				Local1 = Zero
				While (Local1 < 128)
				{
					Local2 = Local1 >> 2
					Local3 = (Local1 + Local2) & 3
					If (PICF)
					{
						Local4 = Package (4) { Zero, Zero, Zero, Zero }
						Local4 [3] = Local3 + 16
					}
					Else
					{
						If (Local3 == 0)
						{
							Local4 = Package (4) { Zero, Zero, LNKA, Zero }
						}
						If (Local3 == 1)
						{
							Local4 = Package (4) { Zero, Zero, LNKB, Zero }
						}
						If (Local3 == 2)
						{
							Local4 = Package (4) { Zero, Zero, LNKC, Zero }
						}
						If (Local3 == 3)
						{
							Local4 = Package (4) { Zero, Zero, LNKD, Zero }
						}
					}
					Local4 [0] = (Local2 << 16) | 0xFFFF
					Local4 [1] = Local1 & 3
					Local0 [Local1] = Local4
					Local1++
				}
				Return (Local0)
			}

			Device (ISA)
			{
				Name (_ADR, 0x00010000)
				OperationRegion (PIRQ, PCI_Config, 0x60, 0x04)
				Field (PIRQ, ByteAcc, NoLock, Preserve)
				{
					PRQA, 8,
					PRQB, 8,
					PRQC, 8,
					PRQD, 8
				}

				Device (PIC)
				{
					Name (_HID, EisaId ("PNP0000"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0020, 0x0020, 0x00, 0x02)
						IO (Decode16, 0x00A0, 0x00A0, 0x00, 0x02)
						IO (Decode16, 0x04D0, 0x04D0, 0x00, 0x02)
						IRQNoFlags () {2}
					})
				}
				Device (TIMR)
				{
					Name (_HID, EisaId ("PNP0100"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0040, 0x0040, 0x00, 0x04)
						IRQNoFlags () {0}
					})
				}
				Device (SPKR)
				{
					Name (_HID, EisaId ("PNP0800"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0061, 0x0061, 0x01, 0x01)
					})
				}
				Device (RTC)
				{
					Name (_HID, EisaId ("PNP0B00"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0070, 0x0070, 0x10, 0x02)
						IRQNoFlags () {8}
					})
				}
				Device (FPU)
				{
					Name (_HID, EisaId ("PNP0C04"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x00F0, 0x00F0, 0x10, 0x01)
						IRQNoFlags () {13}
					})
				}
				Device (KBD)
				{
					Name (_HID, EisaId ("PNP0303"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
						IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
						IRQNoFlags () {1}
					})
				}
				Device (MOU)
				{
					Name (_HID, EisaId ("PNP0F13"))
					Name (_CRS, ResourceTemplate ()
					{
						IRQNoFlags () {12}
					})
				}
				Device (COM1)
				{
					Name (_HID, EisaId ("PNP0501"))
					Name (_UID, One)
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x03F8, 0x03F8, 0x08, 0x08)
						IRQNoFlags () {4}
					})
				}
				/* What the chips decode beyond their BARs: power management, reset. */
				Device (SYSR)
				{
					Name (_HID, EisaId ("PNP0C02"))
					Name (_CRS, ResourceTemplate ()
					{
						IO (Decode16, 0x0080, 0x0080, 0x00, 0x01)
						IO (Decode16, 0x0092, 0x0092, 0x00, 0x01)
						IO (Decode16, 0xAFE0, 0xAFE0, 0x00, 0x04)
						IO (Decode16, 0xB000, 0xB000, 0x00, 0x40)
					})
				}
			}
		}

		Device (HPET)
		{
			Name (_HID, EisaId ("PNP0103"))
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadOnly, 0xFED00000, 0x00000400)
			})
		}

		/* A PIRQ register: bit 7 set is off, else bits 0-3 are the ISA interrupt. */
		Name (PRSL, ResourceTemplate ()
		{
			IRQ (Level, ActiveLow, Shared) {5, 10, 11}
		})
		Method (LSTA, 1, NotSerialized)
		{
			If (Arg0 & 0x80)
			{
				Return (0x09)
			}
			Return (0x0B)
		}
		Method (LCRS, 1, Serialized)
		{
			Name (CRSB, ResourceTemplate ()
			{
				IRQ (Level, ActiveLow, Shared, IRQL) {}
			})
			CreateWordField (CRSB, IRQL._INT, IRQM)
			IRQM = Zero
			If ((Arg0 & 0x80) == 0)
			{
				IRQM = One << (Arg0 & 0x0F)
			}
			Return (CRSB)
		}
		/* The ISA interrupt that a _SRS buffer asks for. */
		Method (LSRS, 1, NotSerialized)
		{
			CreateWordField (Arg0, One, IRQW)
			FindSetRightBit (IRQW, Local0)
			Return (Local0 - 1)
		}

		Device (LNKA)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 1)
			Method (_PRS, 0, NotSerialized) { Return (PRSL) }
			Method (_STA, 0, NotSerialized) { Return (LSTA (\_SB.PCI0.ISA.PRQA)) }
			Method (_CRS, 0, NotSerialized) { Return (LCRS (\_SB.PCI0.ISA.PRQA)) }
			Method (_DIS, 0, NotSerialized) { \_SB.PCI0.ISA.PRQA |= 0x80 }
			Method (_SRS, 1, NotSerialized) { \_SB.PCI0.ISA.PRQA = LSRS (Arg0) }
		}
		Device (LNKB)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 2)
			Method (_PRS, 0, NotSerialized) { Return (PRSL) }
			Method (_STA, 0, NotSerialized) { Return (LSTA (\_SB.PCI0.ISA.PRQB)) }
			Method (_CRS, 0, NotSerialized) { Return (LCRS (\_SB.PCI0.ISA.PRQB)) }
			Method (_DIS, 0, NotSerialized) { \_SB.PCI0.ISA.PRQB |= 0x80 }
			Method (_SRS, 1, NotSerialized) { \_SB.PCI0.ISA.PRQB = LSRS (Arg0) }
		}
		Device (LNKC)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 3)
			Method (_PRS, 0, NotSerialized) { Return (PRSL) }
			Method (_STA, 0, NotSerialized) { Return (LSTA (\_SB.PCI0.ISA.PRQC)) }
			Method (_CRS, 0, NotSerialized) { Return (LCRS (\_SB.PCI0.ISA.PRQC)) }
			Method (_DIS, 0, NotSerialized) { \_SB.PCI0.ISA.PRQC |= 0x80 }
			Method (_SRS, 1, NotSerialized) { \_SB.PCI0.ISA.PRQC = LSRS (Arg0) }
		}
		Device (LNKD)
		{
			Name (_HID, EisaId ("PNP0C0F"))
			Name (_UID, 4)
			Method (_PRS, 0, NotSerialized) { Return (PRSL) }
			Method (_STA, 0, NotSerialized) { Return (LSTA (\_SB.PCI0.ISA.PRQD)) }
			Method (_CRS, 0, NotSerialized) { Return (LCRS (\_SB.PCI0.ISA.PRQD)) }
			Method (_DIS, 0, NotSerialized) { \_SB.PCI0.ISA.PRQD |= 0x80 }
			Method (_SRS, 1, NotSerialized) { \_SB.PCI0.ISA.PRQD = LSRS (Arg0) }
		}
	}
}
