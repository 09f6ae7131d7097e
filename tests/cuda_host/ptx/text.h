// SPDX-License-Identifier: LGPL-2.1-or-later
//
// text.h - PTX as it is written: a module's kernels with their parameters,
// registers, labels and statements. Knows the grammar (PTX ISA 9.0, chapters 4
// and 5) as far as nvcc uses it for our kernels; what it does not know is an
// error. What an instruction means is for decode.cpp.

#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

// What is wrong, with the file and the line.
struct PtxError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct PtxOperand {
    enum Kind {
        NAME,    // a register or a symbol
        INTEGER, // a number
        FLOAT,   // the bits of an f32
        ADDRESS, // [name + value], or [value] without a name; [name, {parts}]
        VECTOR,  // {parts}
        PAIR,    // parts, "a|b"
    };
    Kind kind;
    std::string name;
    uint64_t value;
    std::vector<PtxOperand> parts;
};

struct PtxStatement {
    int line;
    std::string guard; // a predicate register or nothing
    bool negated;      // runs where the guard is false
    std::string opcode;
    std::vector<PtxOperand> operands;
};

// A parameter, a local array: its place among its like.
struct PtxVariable {
    std::string name;
    size_t offset, size;
};

struct PtxKernel {
    std::string name;
    std::vector<PtxVariable> parameters, locals;
    size_t parameters_size = 0, locals_size = 0;
    // The bits of a register's type by its name without a number, 1 for .pred;
    // and how many of that name there are, 0 where the name is whole.
    struct Registers {
        int bits, count;
    };
    std::map<std::string, Registers> registers;
    std::vector<PtxStatement> statements;
    std::map<std::string, int> labels; // the statement behind each
};

struct PtxModule {
    std::string file;
    std::string target;               // such as sm_80
    std::vector<std::string> lines;   // for messages
    std::vector<std::string> dynamic; // names of the dynamic shared memory
    std::map<std::string, PtxKernel> kernels;
};

// `file` is a name for messages.
PtxModule ptx_read_module(const std::string &file, const std::string &text);
