/* SPDX-License-Identifier: GPL-2.0-or-later */
/* limits.c - the rows of segments.c that meet a limit, or a right that is checked at each access.
 */
#define LIMITS
#include "segments.c"
