// SPDX-License-Identifier: LGPL-2.1-or-later
//
// known_products.h - whether Hopper's own products may be used, see block.c.

#pragma once

#include "cuda/cuda.h"

// Are there products of 16 bits for this device, in the activations' type, and
// do they give a known answer in all tiles? They are asked once, and that may
// be done `now`; until then: false.
bool pe_hopper_products_are_trusted(PeCuda *cuda, bool now);
