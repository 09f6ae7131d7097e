// SPDX-License-Identifier: LGPL-2.1-or-later
//
// text.cpp - reads a PTX module, see text.h.

#include "tests/cuda_host/ptx/text.h"

#include <cstdlib>
#include <cstring>

namespace
{

struct Token {
    std::string text; // empty at the end
    int line;
};

bool
is_word(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_$%.", c));
}

// Words, numbers and strings in one piece, everything else letter by letter.
std::vector<Token>
split(const std::string &text)
{
    std::vector<Token> tokens;
    int line = 1;
    for (size_t i = 0; i < text.size();) {
        size_t end = i + 1;
        if (text[i] == '\n') {
            line++;
        } else if (text.compare(i, 2, "//") == 0) {
            end = text.find('\n', i);
        } else if (text[i] == '"') {
            end = text.find('"', i + 1);
            end += end != std::string::npos;
        } else if (is_word(text[i])) {
            // "::" is part of an opcode.
            while (end < text.size() &&
                   (is_word(text[end]) || text.compare(end, 2, "::") == 0))
                end += is_word(text[end]) ? 1 : 2;
            tokens.push_back({text.substr(i, end - i), line});
        } else if (!isspace((unsigned char)text[i])) {
            tokens.push_back({text.substr(i, 1), line});
        }
        i = end < text.size() ? end : text.size();
    }
    tokens.push_back({"", line});
    return tokens;
}

// Bits of a type, 0 for none that is known; PTX ISA 9.0, 5.2.
int
bits_of_type(const std::string &type)
{
    if (type == ".pred")
        return 1;
    if (type.size() < 3 || !strchr("busf", type[1]))
        return 0;
    int bits = atoi(type.c_str() + 2);
    return bits == 8 || bits == 16 || bits == 32 || bits == 64 ? bits : 0;
}

class Reader
{
  public:
    Reader(const std::string &file, const std::string &text)
        : tokens(split(text))
    {
        module.file = file;
        for (size_t begin = 0; begin < text.size();) {
            size_t end = text.find('\n', begin);
            module.lines.push_back(text.substr(begin, end - begin));
            begin = end == std::string::npos ? text.size() : end + 1;
        }
    }

    PtxModule
    read()
    {
        while (!tokens[at].text.empty()) {
            std::string word = take();
            if (word == ".version" || word == ".address_size")
                take();
            else if (word == ".target")
                module.target = take();
            else if (word == ".extern")
                read_dynamic();
            else if (word == ".entry")
                read_kernel();
            else if (word != ".visible")
                fail("unknown directive " + word);
        }
        return std::move(module);
    }

  private:
    [[noreturn]] void
    fail(const std::string &what)
    {
        int line = tokens[at > 0 ? at - 1 : 0].line;
        throw PtxError(module.file + ":" + std::to_string(line) + ": " + what);
    }

    const std::string &
    peek()
    {
        return tokens[at].text;
    }

    std::string
    take()
    {
        if (tokens[at].text.empty())
            fail("the file ends too early");
        return tokens[at++].text;
    }

    bool
    skip(const char *word)
    {
        if (peek() != word)
            return false;
        at++;
        return true;
    }

    void
    expect(const char *word)
    {
        if (!skip(word))
            fail("found " + peek() + ", expected " + word);
    }

    uint64_t
    take_number()
    {
        bool negative = skip("-");
        std::string word = take();
        char *end;
        uint64_t n = strtoull(word.c_str(), &end, 0);
        if (!isdigit((unsigned char)word[0]) || (*end && strcmp(end, "U")))
            fail(word + " is no number");
        return negative ? -n : n;
    }

    // .align A .b8 name[N], with what its alignment makes of *offset.
    PtxVariable
    take_variable(size_t *offset)
    {
        size_t align = skip(".align") ? take_number() : 0;
        size_t size = bits_of_type(take()) / 8;
        if (size == 0)
            fail("unknown type of a variable");
        align = align ? align : size;
        PtxVariable v;
        v.name = take();
        if (skip("[")) {
            size *= peek() == "]" ? 0 : take_number();
            expect("]");
        }
        v.offset = (*offset + align - 1) / align * align;
        v.size = size;
        *offset = v.offset + size;
        return v;
    }

    void
    read_dynamic()
    {
        expect(".shared");
        size_t offset = 0;
        PtxVariable v = take_variable(&offset);
        if (v.size)
            fail(v.name + " is no dynamic shared memory");
        module.dynamic.push_back(v.name);
        expect(";");
    }

    void
    read_kernel()
    {
        PtxKernel k;
        k.name = take();
        if (skip("(")) {
            while (!skip(")")) {
                expect(".param");
                k.parameters.push_back(take_variable(&k.parameters_size));
                skip(",");
            }
        }
        // Launch bounds, which decode.cpp has no use for.
        while (skip(".maxntid") || skip(".minnctapersm")) {
            do
                take_number();
            while (skip(","));
        }
        expect("{");
        scopes = {{}};
        while (!scopes.empty()) {
            if (skip("{"))
                scopes.emplace_back();
            else if (skip("}"))
                scopes.pop_back();
            else
                read_line(&k);
        }
        module.kernels[k.name] = std::move(k);
    }

    void
    read_line(PtxKernel *k)
    {
        if (skip(".reg")) {
            read_registers(k);
        } else if (skip(".local")) {
            k->locals.push_back(take_variable(&k->locals_size));
            expect(";");
        } else if (skip(".pragma")) {
            expect(";"); // the string is not kept
        } else if (tokens[at + 1].text == ":") {
            k->labels[take()] = (int)k->statements.size();
            take();
        } else {
            k->statements.push_back(take_statement());
        }
    }

    void
    read_registers(PtxKernel *k)
    {
        int bits = bits_of_type(take());
        if (bits == 0 || bits == 8)
            fail("unknown type of a register");
        do {
            std::string name = take();
            int count = 0;
            if (skip("<")) {
                count = (int)take_number();
                expect(">");
            } else if (scopes.size() > 1) {
                // Of a block only: it gets a name of its own.
                const std::string own =
                    name + "{" + std::to_string(k->registers.size());
                scopes.back()[name] = own;
                name = own;
            }
            if (!k->registers.insert({name, {bits, count}}).second)
                fail("registers " + name + " are there twice");
        } while (skip(","));
        expect(";");
    }

    // What a name of the innermost block that has it stands for.
    std::string
    find_name(const std::string &name) const
    {
        for (size_t i = scopes.size(); i-- > 0;) {
            auto found = scopes[i].find(name);
            if (found != scopes[i].end())
                return found->second;
        }
        return name;
    }

    PtxStatement
    take_statement()
    {
        PtxStatement s = {tokens[at].line, "", false, "", {}};
        if (skip("@")) {
            s.negated = skip("!");
            s.guard = find_name(take());
        }
        s.opcode = take();
        if (s.opcode[0] == '.')
            fail("unknown directive " + s.opcode);
        while (!skip(";")) {
            s.operands.push_back(take_operand());
            if (peek() != ";")
                expect(",");
        }
        return s;
    }

    PtxOperand
    take_operand()
    {
        PtxOperand o = {PtxOperand::NAME, "", 0, {}};
        if (skip("[")) {
            o.kind = PtxOperand::ADDRESS;
            if (!isdigit((unsigned char)peek()[0]))
                o.name = take();
            if (o.name.empty() || skip("+") || peek() == "-")
                o.value = take_number();
            if (skip(","))
                o.parts = take_operand().parts; // coordinates of a tensor
            expect("]");
            return o;
        }
        if (skip("{")) {
            o.kind = PtxOperand::VECTOR;
            do
                o.parts.push_back(take_operand());
            while (skip(","));
            expect("}");
            return o;
        }
        const std::string &word = peek();
        if (word.size() == 10 && word.compare(0, 2, "0f") == 0) {
            o.kind = PtxOperand::FLOAT; // PTX ISA 9.0, 4.5.2
            o.value = strtoull(take().c_str() + 2, nullptr, 16);
        } else if (word == "-" || isdigit((unsigned char)word[0])) {
            o.kind = PtxOperand::INTEGER;
            o.value = take_number();
        } else if (!word.empty() && is_word(word[0])) {
            o.name = find_name(take());
        } else {
            fail("found " + word + ", expected an operand");
        }
        if (!skip("|"))
            return o;
        PtxOperand pair = {PtxOperand::PAIR, "", 0, {o, take_operand()}};
        return pair;
    }

    std::vector<Token> tokens;
    size_t at = 0;
    std::vector<std::map<std::string, std::string>> scopes; // open blocks
    PtxModule module;
};

} // namespace

PtxModule
ptx_read_module(const std::string &file, const std::string &text)
{
    return Reader(file, text).read();
}
