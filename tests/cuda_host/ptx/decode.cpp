// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.cpp - from a kernel's statements to instructions, see program.h.

#include "tests/cuda_host/ptx/program.h"

#include <cstring>

namespace
{

const PtxForms &
all_forms()
{
    static PtxForms forms;
    if (forms.empty()) {
        ptx_add_arithmetic(&forms);
        ptx_add_bits(&forms);
        ptx_add_comparisons(&forms);
        ptx_add_conversions(&forms);
        ptx_add_collectives(&forms);
        ptx_add_copies(&forms);
        ptx_add_hopper(&forms);
    }
    return forms;
}

// Special registers; PTX ISA 9.0, chapter 10.
const std::map<std::string, PtxSpecial> specials = {
    {"%tid.x", PTX_TID_X},       {"%tid.y", PTX_TID_Y},
    {"%tid.z", PTX_TID_Z},       {"%ctaid.x", PTX_CTAID_X},
    {"%ctaid.y", PTX_CTAID_Y},   {"%ctaid.z", PTX_CTAID_Z},
    {"%ntid.x", PTX_NTID_X},     {"%ntid.y", PTX_NTID_Y},
    {"%ntid.z", PTX_NTID_Z},     {"%nctaid.x", PTX_NCTAID_X},
    {"%nctaid.y", PTX_NCTAID_Y}, {"%nctaid.z", PTX_NCTAID_Z},
    {"%laneid", PTX_LANEID},
};

// "ld.global.v2.u32" in its parts.
struct Access {
    bool load;
    PtxSpace space;
    int count; // elements
    char type; // b, u, s or f
    int bytes; // of an element
};

std::vector<std::string>
split_opcode(const std::string &opcode)
{
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= opcode.size();) {
        size_t end = opcode.find('.', begin);
        end = end == std::string::npos ? opcode.size() : end;
        parts.push_back(opcode.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

// ld and st without a cache's or a fence's modifiers; PTX ISA 9.0, 9.7.9.8 and
// 9.7.9.11. `.nc` may take a path through another cache.
bool
parse_access(const std::string &opcode, Access *a)
{
    static const std::map<std::string, PtxSpace> spaces = {
        {"global", PTX_GLOBAL},
        {"shared", PTX_SHARED},
        {"local", PTX_LOCAL},
        {"param", PTX_PARAM}};
    std::vector<std::string> parts = split_opcode(opcode);
    if (parts.size() < 3 || (parts[0] != "ld" && parts[0] != "st") ||
        !spaces.count(parts[1]))
        return false;
    a->load = parts[0] == "ld";
    a->space = spaces.at(parts[1]);
    a->count = 1;
    size_t i = 2;
    if (a->load && a->space == PTX_GLOBAL && parts[i] == "nc")
        i++;
    if (i < parts.size() && (parts[i] == "v2" || parts[i] == "v4"))
        a->count = parts[i++][1] - '0';
    if (i + 1 != parts.size() || parts[i].empty() ||
        !strchr("busf", parts[i][0]))
        return false;
    a->type = parts[i][0];
    int bits = atoi(parts[i].c_str() + 1);
    a->bytes = bits / 8;
    return bits == 8 || bits == 16 || bits == 32 || bits == 64;
}

class Decoder
{
  public:
    Decoder(const PtxModule &m, const PtxKernel &k) : module(m), kernel(k)
    {
        program.parameters = k.parameters;
        program.parameters_size = k.parameters_size;
        program.locals_size = k.locals_size;
    }

    PtxProgram
    decode()
    {
        for (const PtxStatement &s : kernel.statements) {
            statement = &s;
            program.code.push_back(decode_statement());
        }
        return std::move(program);
    }

  private:
    [[noreturn]] void
    fail(const std::string &what)
    {
        throw PtxError(module.file + ":" + std::to_string(statement->line) +
                       ": " + what + ": " + module.lines[statement->line - 1]);
    }

    PtxInstruction
    decode_statement()
    {
        const PtxStatement &s = *statement;
        PtxInstruction i = {};
        i.line = s.line;
        i.guard = s.guard.empty() ? -1 : predicate(s.guard);
        i.negated = s.negated;
        if (s.opcode == "bra" || s.opcode == "bra.uni") {
            if (s.operands.size() != 1 ||
                !kernel.labels.count(s.operands[0].name))
                fail("unknown label");
            i.kind = PTX_BRANCH;
            i.target = kernel.labels.at(s.operands[0].name);
            return i;
        }
        if (s.opcode == "ret" || s.opcode == "exit") {
            i.kind = PTX_EXIT;
            return i;
        }
        Access a;
        if (parse_access(s.opcode, &a)) {
            decode_access(&i, a);
            return i;
        }
        auto form = all_forms().find(s.opcode + variant());
        if (form == all_forms().end())
            form = all_forms().find(s.opcode);
        if (form == all_forms().end())
            fail("unknown instruction " + s.opcode);
        i.run = form->second.run;
        i.kind = form->second.kind;
        decode_operands(&i, form->second.operands);
        if (i.kind == PTX_BARRIER && i.number != 0)
            fail("unknown barrier");
        return i;
    }

    // What tells forms of one opcode apart: a vector as the source, a copy of
    // all bytes, and the bits of the source of a conversion, which may be more
    // than its type's.
    std::string
    variant()
    {
        const PtxStatement &s = *statement;
        if (s.operands.size() == 3 && s.opcode.compare(0, 3, "cp.") == 0)
            return " all";
        if (s.operands.size() > 2 && s.opcode.compare(0, 6, "wgmma.") == 0 &&
            s.operands[1].kind == PtxOperand::VECTOR)
            return " {}";
        if (s.operands.size() != 2)
            return "";
        if (s.operands[1].kind == PtxOperand::VECTOR)
            return " {}";
        return s.opcode.compare(0, 4, "cvt.") == 0
                   ? " " + std::to_string(bits_of(s.operands[1].name))
                   : "";
    }

    void
    decode_access(PtxInstruction *i, const Access &a)
    {
        const PtxStatement &s = *statement;
        i->run = a.load ? ptx_load(a.space, a.bytes, a.type == 's')
                        : ptx_store(a.space, a.bytes);
        if (!i->run || s.operands.size() != 2)
            fail("unknown instruction " + s.opcode);
        const PtxOperand &address = s.operands[a.load ? 1 : 0];
        const PtxOperand &value = s.operands[a.load ? 0 : 1];
        if (address.kind != PtxOperand::ADDRESS)
            fail("expected an address");
        push(i, cell(address, a.space == PTX_SHARED ? 32 : 64));
        i->number = address.name.empty() ? 0 : (int64_t)address.value;
        const std::vector<PtxOperand> one = {value};
        const std::vector<PtxOperand> &parts = a.count > 1 ? value.parts : one;
        if ((int)parts.size() != a.count)
            fail("expected a vector of " + std::to_string(a.count));
        for (const PtxOperand &part : parts) {
            // A register may be wider than what is loaded or stored.
            int bits = part.kind == PtxOperand::NAME ? bits_of(part.name)
                                                     : a.bytes * 8;
            if (bits < a.bytes * 8 || (i->width && bits != i->width))
                fail("registers that do not fit the type");
            i->width = bits;
            push(i, cell(part, bits < 32 ? 16 : bits));
        }
    }

    void
    decode_operands(PtxInstruction *i, const char *letters)
    {
        const std::vector<PtxOperand> &operands = statement->operands;
        if (operands.size() != strlen(letters))
            fail("expected " + std::to_string(strlen(letters)) + " operands");
        for (const PtxOperand &o : operands)
            decode_operand(i, o, *letters++);
    }

    void
    decode_operand(PtxInstruction *i, const PtxOperand &o, char letter)
    {
        switch (letter) {
        case 'h':
            return push(i, cell(o, 16));
        case 'w':
            return push(i, cell(o, 32));
        case 'd':
            return push(i, cell(o, 64));
        case 'f':
            if (o.kind == PtxOperand::INTEGER)
                fail("expected a float");
            return push(i, cell(o, 32));
        case 'p':
            // 4.5.3, "Predicate Constants"
            if (o.kind == PtxOperand::INTEGER)
                return push(i, constant_predicate(o.value != 0));
            return push(i, predicate(o.name));
        case 'q': {
            bool pair = o.kind == PtxOperand::PAIR;
            push(i, cell(pair ? o.parts[0] : o, 32));
            return push(i, pair ? predicate(o.parts[1].name) : -1);
        }
        case 'n':
            if (o.kind != PtxOperand::INTEGER)
                fail("expected a number");
            i->number = i->number * 4 + (int64_t)o.value;
            return;
        case '_':
            if (o.name != "_")
                fail("expected _");
            return;
        default:
            decode_vector(i, o, letter);
        }
    }

    // Also the address of an instruction with a form of its own.
    void
    decode_vector(PtxInstruction *i, const PtxOperand &o, char letter)
    {
        if (letter == 'A' || letter == 'a') {
            if (o.kind != PtxOperand::ADDRESS || (o.value && !o.name.empty()))
                fail("expected an address without an offset");
            return push(i, cell(o, letter == 'A' ? 64 : 32));
        }
        if (letter == 't') {
            if (o.kind != PtxOperand::ADDRESS || o.value || o.parts.size() != 3)
                fail("expected an address and three coordinates");
            push(i, cell(o, 64));
            for (const PtxOperand &part : o.parts)
                push(i, cell(part, 32));
            return;
        }
        size_t n = letter == 'v'   ? o.parts.size()
                   : letter == '4' ? 4
                   : letter == '1' ? 1
                                   : 2;
        if (o.kind != PtxOperand::VECTOR || o.parts.size() != n)
            fail("expected a vector of " + std::to_string(n));
        for (const PtxOperand &part : o.parts)
            push(i, cell(part, letter == 'H' ? 16 : 32));
    }

    void
    push(PtxInstruction *i, int operand)
    {
        i->operands[i->n_operands++] = operand;
    }

    // The bits of a register's type; 0 when it is none.
    int
    bits_of(const std::string &name)
    {
        auto whole = kernel.registers.find(name);
        if (whole != kernel.registers.end() && whole->second.count == 0)
            return whole->second.bits;
        size_t digits = name.find_last_not_of("0123456789") + 1;
        auto r = kernel.registers.find(name.substr(0, digits));
        if (r == kernel.registers.end() || digits == name.size() ||
            atoi(name.c_str() + digits) >= r->second.count)
            return 0;
        return r->second.bits;
    }

    // By a name that no register can have, so nobody writes it.
    int
    constant_predicate(bool is_true)
    {
        auto known =
            predicates.insert({is_true ? "1" : "0", program.n_predicates});
        program.n_predicates += known.second;
        if (is_true)
            program.true_predicate = known.first->second;
        return known.first->second;
    }

    int
    predicate(const std::string &name)
    {
        if (bits_of(name) != 1)
            fail(name + " is no predicate");
        auto known = predicates.insert({name, program.n_predicates});
        program.n_predicates += known.second;
        return known.first->second;
    }

    int
    new_cells(int bits)
    {
        int cell = program.n_cells;
        program.n_cells += bits == 64 ? 2 : 1;
        return cell;
    }

    int
    constant(uint64_t value, int bits)
    {
        auto known = constants.insert({{value, bits}, program.n_cells});
        if (known.second) {
            new_cells(bits);
            program.constants.push_back({known.first->second, bits, value});
        }
        return known.first->second;
    }

    // The value of a symbol: where it begins in its state space.
    bool
    find_symbol(const std::string &name, uint64_t *value)
    {
        for (const PtxVariable &v : kernel.parameters) {
            if (v.name == name)
                return *value = v.offset, true;
        }
        for (const PtxVariable &v : kernel.locals) {
            if (v.name == name)
                return *value = v.offset, true;
        }
        for (const std::string &dynamic : module.dynamic) {
            if (dynamic == name)
                return *value = 0, true;
        }
        return false;
    }

    // The first cell of a register, a number or a symbol of so many bits.
    int
    cell(const PtxOperand &o, int bits)
    {
        uint64_t value = o.value;
        if (o.kind == PtxOperand::VECTOR || o.kind == PtxOperand::PAIR)
            fail("a vector where a register is expected");
        if (o.kind == PtxOperand::INTEGER || o.kind == PtxOperand::FLOAT ||
            o.name.empty() || find_symbol(o.name, &value))
            return constant(value, bits);
        auto special = specials.find(o.name);
        if (special != specials.end())
            return special_cell(special->second, bits);
        if (bits_of(o.name) != bits)
            fail(o.name + " is no register of " + std::to_string(bits) +
                 " bits");
        auto known = registers.insert({o.name, program.n_cells});
        if (known.second)
            new_cells(bits);
        return known.first->second;
    }

    int
    special_cell(PtxSpecial special, int bits)
    {
        if (bits != 32)
            fail("a special register has 32 bits");
        auto known = special_cells.insert({special, program.n_cells});
        if (known.second) {
            new_cells(32);
            program.specials.push_back({known.first->second, special});
        }
        return known.first->second;
    }

    const PtxModule &module;
    const PtxKernel &kernel;
    const PtxStatement *statement = nullptr;
    PtxProgram program;
    std::map<std::string, int> registers, predicates;
    std::map<std::pair<uint64_t, int>, int> constants;
    std::map<PtxSpecial, int> special_cells;
};

} // namespace

PtxProgram
ptx_decode(const PtxModule &module, const PtxKernel &kernel)
{
    return Decoder(module, kernel).decode();
}
