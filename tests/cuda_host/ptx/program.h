// SPDX-License-Identifier: LGPL-2.1-or-later
//
// program.h - a kernel decoded for machine.cpp: instructions that call C++
// functions on the registers of a warp. Strings are left behind here.
//
// Registers of a warp lie in one file of cells, a 32-bit word for each lane;
// one of 64 bits takes two cells, one of 16 bits the low half of one. Numbers
// in instructions and special registers (%tid.x) have cells as well, written
// once, so that an operation never asks what an operand is. Predicates are
// masks of lanes in an array of their own.

#pragma once

#include "tests/cuda_host/ptx/text.h"

typedef uint32_t PtxLanes; // a set of lanes, the lowest bit is lane 0
const int ptx_lanes = 32;
const PtxLanes ptx_all_lanes = ~0u;

struct PtxWarp;
struct PtxInstruction;

// Runs an instruction for the lanes of `active`, which are some.
typedef void (*PtxOperation)(PtxWarp &w, const PtxInstruction &i,
                             PtxLanes active);

enum PtxKind {
    PTX_PLAIN,   // each lane for itself
    PTX_MEMBERS, // .sync with a mask in the last operand: waits for its lanes
    PTX_ALIGNED, // .sync.aligned: waits for all lanes
    PTX_BARRIER, // of the block
    PTX_BRANCH,
    PTX_EXIT,
};

struct PtxInstruction {
    PtxOperation run;
    PtxKind kind;
    int guard; // a predicate, or -1
    bool negated;
    // First cells, or predicates, of the operands in the order in which they
    // stand, vectors laid out flat.
    int operands[136]; // a product of 256 columns has 131
    int n_operands;
    // An address's offset, a count, a table: see decode.cpp; of several numbers
    // the last in the lowest digit, to the base 4.
    int64_t number;
    int width;  // bits of the register that is loaded or stored
    int target; // of a branch
    int line;
};

// What has to be in a cell before a warp begins.
struct PtxConstant {
    int cell, bits;
    uint64_t value;
};

enum PtxSpecial {
    PTX_TID_X,
    PTX_TID_Y,
    PTX_TID_Z,
    PTX_CTAID_X,
    PTX_CTAID_Y,
    PTX_CTAID_Z,
    PTX_NTID_X,
    PTX_NTID_Y,
    PTX_NTID_Z,
    PTX_NCTAID_X,
    PTX_NCTAID_Y,
    PTX_NCTAID_Z,
    PTX_LANEID,
};

struct PtxProgram {
    std::vector<PtxInstruction> code;
    int n_cells = 0, n_predicates = 0;
    int true_predicate = -1; // the others begin as false
    std::vector<PtxConstant> constants;
    std::vector<std::pair<int, PtxSpecial>> specials; // cell, which
    std::vector<PtxVariable> parameters;
    size_t parameters_size, locals_size;
};

// Throws PtxError at the first instruction that is not known.
PtxProgram ptx_decode(const PtxModule &module, const PtxKernel &kernel);

// ---- The instructions that are known ----------------------------------------

// An opcode with all its modifiers. `operands` has a letter for each operand:
//
//   h w d  a register of 16, 32 or 64 bits, or an integer
//   f      a register of 32 bits, or a float
//   p      a predicate register
//   q      "d|p", two operands, of 32 bits and a predicate; the latter may
//          lack and has number -1 then
//   1 2 4  a vector of so many registers of 32 bits
//   v      a vector of any number of them
//   H      a vector of two registers of 16 bits
//   a A    an address of 32 or 64 bits, without an offset
//   t      an address of 64 bits with three coordinates, four operands
//   n      an integer, for PtxInstruction.number
//   _      "_", no operand: what nobody wants
struct PtxForm {
    const char *operands;
    PtxOperation run;
    PtxKind kind;
};

typedef std::map<std::string, PtxForm> PtxForms;

void ptx_add_arithmetic(PtxForms *forms);
void ptx_add_bits(PtxForms *forms);
void ptx_add_comparisons(PtxForms *forms);
void ptx_add_conversions(PtxForms *forms);
void ptx_add_collectives(PtxForms *forms);
void ptx_add_copies(PtxForms *forms);
void ptx_add_hopper(PtxForms *forms);

enum PtxSpace { PTX_GLOBAL, PTX_SHARED, PTX_LOCAL, PTX_PARAM };

// The operation of ld (or st) of elements of so many bytes. Operands are the
// address, of 32 bits for shared memory and 64 elsewhere, then the elements.
// NULL where there is none.
PtxOperation ptx_load(PtxSpace space, int bytes, bool is_signed);
PtxOperation ptx_store(PtxSpace space, int bytes);
