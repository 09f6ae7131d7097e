// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_instructions.cpp - the PTX interpreter itself, on kernels of a few
// lines: what instructions compute, and which faults it finds.

#include <glib.h>

#include <cstring>

#include "tests/cuda_host/lent.h"
#include "tests/cuda_host/ptx/machine.h"

namespace
{

const char head[] = R"(.version 9.0
.target sm_80
.address_size 64
.extern .shared .align 128 .b8 memory[];
.visible .entry k(.param .u64 out, .param .u32 number)
{
.reg .pred %p<5>;
.reg .b16 %rs<5>;
.reg .b32 %r<20>;
.reg .f32 %f<20>;
.reg .b64 %rd<9>;
ld.param.u64 %rd0, [out];
mov.u32 %r0, %tid.x;
mul.wide.u32 %rd1, %r0, 4;
add.s64 %rd2, %rd0, %rd1;
mov.u32 %r19, memory;
shl.b32 %r18, %r0, 2;
add.s32 %r18, %r18, %r19;
)";
const int head_lines = 18;

// What a block leaves in an array of a word for each of its threads, which
// begins as zeros. %rd2 is the thread's word, %rd0 the first, %r0 the thread,
// %r18 its word in shared memory, %r19 the first.
std::vector<uint32_t>
run(const std::string &body, unsigned threads = 32, size_t shared = 512,
    bool dependent = false)
{
    PtxModule module = ptx_read_module("k.ptx", head + body + "\nret;\n}\n");
    const PtxKernel &kernel = module.kernels.at("k");
    PtxProgram program = ptx_decode(module, kernel);
    PtxLaunch launch = {&module,         &kernel, &program, {1, 1, 1},
                        {threads, 1, 1}, shared,  {},       dependent};
    // A vector's memory is aligned to 16 bytes.
    std::vector<uint32_t> out(threads);
    Lent lent(out.data(), threads * sizeof out[0]);
    Late late(out.data(), threads * sizeof out[0]);
    const uint32_t *first = out.data();
    launch.parameters.resize(program.parameters_size);
    memcpy(launch.parameters.data(), &first, sizeof first);
    launch.parameters[8] = 42;
    ptx_run(launch);
    return out;
}

// The body ends with an error whose text has all of these words.
void
expect_error(const char *body, std::initializer_list<const char *> words,
             unsigned threads = 32, bool dependent = false)
{
    try {
        run(body, threads, 512, dependent);
    } catch (const PtxError &e) {
        g_test_message("%s", e.what());
        for (const char *word : words)
            g_assert_nonnull(strstr(e.what(), word));
        return;
    }
    g_error("no error: %s", body);
}

// ---- What instructions compute ----------------------------------------------

void
computes_what_the_manual_says()
{
    static const struct {
        const char *code; // leaves a result in %r1
        uint32_t result;
    } cases[] = {
        {"ld.param.u32 %r1, [number];", 42},
        {"mov.b64 %rd3, number; ld.param.u8 %r1, [%rd3+1];", 0},
        {"add.s32 %r1, 2147483647, 1;", 0x80000000},
        {"sub.s32 %r1, 0, 1;", 0xffffffff},
        {"mul.lo.s32 %r1, 65537, 65537;", 0x00020001},
        {"mul.hi.s32 %r1, -2, 3;", 0xffffffff},
        {"mul.hi.u32 %r1, -2, 3;", 2},
        {"mov.u16 %rs1, 65535; mul.wide.u16 %r1, %rs1, %rs1;", 0xfffe0001},
        {"mul.wide.s32 %rd3, -1, 5; shr.u64 %rd3, %rd3, 32; "
         "cvt.u32.u64 %r1, %rd3;",
         0xffffffff},
        {"mad.lo.s32 %r1, 3, 4, -5;", 7},
        {"div.s32 %r1, -7, 2;", (uint32_t)-3},
        {"rem.s32 %r1, -7, 2;", (uint32_t)-1},
        {"div.u32 %r1, -7, 2;", 0x7ffffffc},
        {"min.s32 %r1, -7, 2;", (uint32_t)-7},
        {"max.u32 %r1, -7, 2;", (uint32_t)-7},
        {"dp4a.u32.u32 %r1, 0x01020304, 0xff050607, 10;",
         10 + 255 + 10 + 18 + 28},
        {"shl.b32 %r1, 1, 33;", 0},
        {"shr.s32 %r1, -8, 40;", 0xffffffff},
        {"shr.u32 %r1, -8, 28;", 15},
        {"bfe.u32 %r1, 0xabcd, 4, 8;", 0xbc},
        {"bfe.s32 %r1, 0xabcd, 4, 8;", 0xffffffbc},
        {"bfi.b32 %r1, 0x5, 0xff00, 4, 3;", 0xff50},
        {"lop3.b32 %r1, 0xf0, 0xcc, 0xaa, 0xe8;", 0xe8},
        {"shf.l.wrap.b32 %r1, 0x80000000, 1, 1;", 3},
        {"shf.r.wrap.b32 %r1, 2, 1, 1;", 0x80000001},
        {"prmt.b32 %r1, 0x33221100, 0x77665544, 0x6420;", 0x66442200},
        {"prmt.b32 %r1, 0x00000080, 0, 0x8888;", 0xffffffff},
        {"cvt.pack.sat.u8.s32.b32 %r2, -3, 300, 0; "
         "cvt.pack.sat.u8.s32.b32 %r1, 2, 1, %r2;",
         0x00ff0201},
        {"mov.u16 %rs1, 1; mov.u16 %rs2, 2; mov.b32 %r1, {%rs1, %rs2};",
         0x00020001},
        {"mov.u16 %rs1, 65535; cvt.s32.s16 %r1, %rs1;", 0xffffffff},
        {"mov.u16 %rs1, 65535; cvt.u32.u16 %r1, %rs1;", 65535},
        {"cvt.rzi.u32.f32 %r1, 0fBF800000;", 0},
        {"cvt.rzi.u32.f32 %r1, 0f40733333;", 3},
        {"cvt.rn.f32.u32 %f1, 16777217; mov.b32 %r1, %f1;", 0x4b800000},
        // 1 and -480: a is the upper byte
        {"cvt.rn.satfinite.e4m3x2.f32 %rs1, 0f3F800000, 0fC3F00000; "
         "cvt.u32.u16 %r1, %rs1;",
         0x38fe},
        {"cvt.rn.bf16.f32 %rs1, 0f3F808000; cvt.u32.u16 %r1, %rs1;", 0x3f80},
        {"cvt.rn.bf16.f32 %rs1, 0f3F818000; cvt.u32.u16 %r1, %rs1;", 0x3f82},
        {"cvt.rn.f16.f32 %rs1, 0f477FF000; cvt.u32.u16 %r1, %rs1;", 0x7c00},
        {"mov.u16 %rs1, 0x3c00; cvt.f32.f16 %f1, %rs1; mov.b32 %r1, %f1;",
         0x3f800000},
        // (1 + 2^-23)^2 - (1 + 2^-22) is 2^-46, and 0 if the product is rounded
        {"fma.rn.f32 %f1, 0f3F800001, 0f3F800001, 0fBF800002; "
         "mov.b32 %r1, %f1;",
         0x28800000},
        {"mul.f32 %f1, 0f3F800001, 0f3F800001; sub.f32 %f1, %f1, 0f3F800002; "
         "mov.b32 %r1, %f1;",
         0},
        {"max.f32 %f1, 0f7FC00000, 0f3F800000; mov.b32 %r1, %f1;", 0x3f800000},
        {"min.f32 %f1, 0f00000000, 0f80000000; mov.b32 %r1, %f1;", 0x80000000},
        {"ex2.approx.ftz.f32 %f1, 0f40400000; mov.b32 %r1, %f1;", 0x41000000},
        {"ex2.approx.ftz.f32 %f1, 0fC3000000; mov.b32 %r1, %f1;", 0},
        {"rcp.rn.f32 %f1, 0f40400000; mov.b32 %r1, %f1;", 0x3eaaaaab},
        {"setp.lt.u32 %p1, 1, -1; selp.b32 %r1, 5, 6, %p1;", 5},
        {"setp.lt.s32 %p1, 1, -1; selp.b32 %r1, 5, 6, %p1;", 6},
        {"setp.lt.f32 %p1, 0f7FC00000, 0f00000000; selp.b32 %r1, 5, 6, %p1;",
         6},
        {"setp.geu.f32 %p1, 0f7FC00000, 0f00000000; selp.b32 %r1, 5, 6, %p1;",
         5},
        {"setp.ne.s32 %p1, 1, 1; not.pred %p2, %p1; selp.b32 %r1, 5, 6, %p2;",
         5},
        {"mov.pred %p1, 0; selp.b32 %r1, 5, 6, %p1;", 6},
        {"mov.pred %p1, -1; selp.b32 %r1, 5, 6, %p1;", 5},
        {"mov.u32 %r1, 3; @%p0 mov.u32 %r1, 4; @!%p0 add.s32 %r1, %r1, 2;", 5},
        // Loads into wider registers.
        {"st.global.u32 [%rd2], 200; ld.global.s8 %r1, [%rd2];", 0xffffffc8},
        {"st.global.u32 [%rd2], 200; ld.global.u8 %rs1, [%rd2]; "
         "cvt.u32.u16 %r1, %rs1;",
         200},
    };
    for (auto &c : cases) {
        uint32_t result =
            run(std::string(c.code) + "st.global.u32 [%rd2], %r1;")[7];
        g_test_message("%s: %#x, expected %#x", c.code, result, c.result);
        g_assert_cmphex(result, ==, c.result);
    }
}

void
shuffles_between_lanes()
{
    static const struct {
        const char *mode, *b, *c;
        uint32_t of_lane_9; // with 1000 where it has no source
    } cases[] = {
        {"bfly", "4", "31", 13},       {"up", "1", "0", 8},
        {"up", "10", "0", 1009},       {"down", "3", "31", 12},
        {"down", "23", "31", 1009},    {"idx", "5", "31", 5},
        {"idx", "5", "0x181f", 13},    {"bfly", "16", "31", 25},
        {"down", "7", "0x181f", 1009},
    };
    for (auto &c : cases) {
        std::string code = std::string("shfl.sync.") + c.mode +
                           ".b32 %r1|%p1, %r0, " + c.b + ", " + c.c +
                           ", -1; @!%p1 add.s32 %r1, %r1, 1000; "
                           "st.global.u32 [%rd2], %r1;";
        g_test_message("%s", code.c_str());
        g_assert_cmpuint(run(code)[9], ==, c.of_lane_9);
    }
}

// Lanes take 0 to 31 rounds and meet again at a shuffle.
void
joins_lanes_that_parted()
{
    std::vector<uint32_t> out = run(R"(
        mov.u32 %r1, 0;
        mov.u32 %r2, 0;
    again:
        setp.ge.u32 %p1, %r1, %r0;
        @%p1 bra done;
        add.s32 %r1, %r1, 1;
        add.s32 %r2, %r2, %r1;
        bra.uni again;
    done:
        shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1;
        st.global.u32 [%rd2], %r3;)");
    for (uint32_t l = 0; l < 32; l++)
        g_assert_cmpuint(out[l], ==, (l ^ 1) * ((l ^ 1) + 1) / 2);
}

// [16, 16] of 16-bit floats and [8, 16], row k of b lying as its column: each
// element of the product is that of plain loops. Values are small integers.
void
multiplies_matrices()
{
    for (const char *type : {"f16", "bf16"}) {
        // Lane l writes rows l / 2 of a, l / 4 of b; 3 * row + k, row - 2 * k.
        std::string convert = std::string("cvt.rn.") + type + ".f32 %rs1, %f1;";
        std::string code = "mov.u32 %r1, 0;\n"
                           "next: setp.gt.u32 %p1, %r1, 15; @%p1 bra end;\n"
                           "setp.gt.u32 %p2, %r0, 23; @%p2 bra skip;\n"
                           "sub.s32 %r2, %r0, 16;\n"
                           "setp.lt.u32 %p3, %r0, 16;\n"
                           "mad.lo.s32 %r3, %r0, 3, %r1;\n"
                           "mad.lo.s32 %r4, %r1, -2, %r2;\n"
                           "selp.b32 %r3, %r3, %r4, %p3;\n"
                           "cvt.rn.f32.s32 %f1, %r3;\n" +
                           convert +
                           "\nshl.b32 %r5, %r0, 4; add.s32 %r5, %r5, %r1;\n"
                           "shl.b32 %r5, %r5, 1; add.s32 %r5, %r5, %r19;\n"
                           "st.shared.u16 [%r5], %rs1;\n"
                           "skip: add.s32 %r1, %r1, 1; bra.uni next;\n"
                           "end: bar.sync 0;\n"
                           // a: rows lane % 16, columns lane / 16 * 8
                           "and.b32 %r1, %r0, 15; shl.b32 %r1, %r1, 5;\n"
                           "shr.u32 %r2, %r0, 4; shl.b32 %r2, %r2, 4;\n"
                           "add.s32 %r1, %r1, %r2; add.s32 %r1, %r1, %r19;\n"
                           "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                           "{%r10,%r11,%r12,%r13}, [%r1];\n"
                           // b: rows 16 + lane % 8, columns lane / 8 % 2 * 8
                           "and.b32 %r1, %r0, 7; shl.b32 %r1, %r1, 5;\n"
                           "bfe.u32 %r2, %r0, 3, 1; shl.b32 %r2, %r2, 4;\n"
                           "add.s32 %r1, %r1, %r2; add.s32 %r1, %r1, 512;\n"
                           "add.s32 %r1, %r1, %r19;\n"
                           "ldmatrix.sync.aligned.m8n8.x2.shared.b16 "
                           "{%r14,%r15}, [%r1];\n"
                           "mov.f32 %f2, 0f3F800000;\n"
                           "mma.sync.aligned.m16n8k16.row.col.f32." +
                           std::string(type) + "." + type +
                           ".f32 {%f4,%f5,%f6,%f7},{%r10,%r11,%r12,%r13},"
                           "{%r14,%r15},{%f2,%f2,%f2,%f2};\n"
                           "shl.b32 %r1, %r0, 4; cvt.u64.u32 %rd3, %r1;\n"
                           "add.s64 %rd3, %rd0, %rd3;\n"
                           "setp.lt.u32 %p1, %r0, 32;\n"
                           "@%p1 st.global.v4.f32 [%rd3], {%f4,%f5,%f6,%f7};";
        // Four words for each lane: of 128 threads, the others do the same.
        std::vector<uint32_t> out = run(code.insert(0, "setp.gt.u32 %p4, %r0, "
                                                       "31; @%p4 bra away;\n") +
                                            "away:",
                                        128, 1024);
        for (int l = 0; l < 32; l++) {
            for (int r = 0; r < 4; r++) {
                int row = l / 4 + r / 2 * 8, column = l % 4 * 2 + r % 2;
                float sum = 1, got;
                for (int k = 0; k < 16; k++)
                    sum += (float)((3 * row + k) * (column - 2 * k));
                memcpy(&got, &out[l * 4 + r], sizeof got);
                g_assert_cmpfloat(got, ==, sum);
            }
        }
    }
}

// Signed bytes: number i of a lane's registers is (16 lane + i) times something
// odd. The smaller form has the first register of each operand of the larger
// one, and the first two of its sums.
void
multiplies_bytes()
{
    auto word = [](int lane, int i) {
        return (uint32_t)(16 * lane + i) * 0x9e3779b1u;
    };
    auto byte = [&](int row, int k, int first) { // of a row of 32
        const int i = first + k / 16 * (first ? 1 : 2) + row / 8;
        return (int8_t)(word(row % 8 * 4 + k % 16 / 4, i) >> k % 4 * 8);
    };
    std::string code = "setp.gt.u32 %p4, %r0, 31; @%p4 bra away;\n"
                       "shl.b32 %r17, %r0, 4;\n";
    for (int i = 0; i < 10; i++)
        code += "add.s32 %r16, %r17, " + std::to_string(i) + "; mul.lo.s32 %r" +
                std::to_string(i + 1) + ", %r16, 0x9e3779b1;\n";
    for (int rows : {8, 16}) {
        const std::string mma =
            rows == 16 ? "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                         "{%r11,%r12,%r13,%r14},{%r1,%r2,%r3,%r4},{%r5,%r6},"
                         "{%r7,%r8,%r9,%r10};\n"
                       : "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                         "{%r11,%r12},{%r1},{%r5},{%r7,%r8};\n";
        const std::vector<uint32_t> out =
            run(code + mma +
                    "cvt.u64.u32 %rd3, %r17; add.s64 %rd3, %rd0, %rd3;\n"
                    "st.global.v4.b32 [%rd3], {%r11,%r12,%r13,%r14};\n"
                    "away:",
                128, 1024);
        for (int l = 0; l < 32; l++) {
            for (int r = 0; r < rows / 4; r++) {
                const int row = l / 4 + r / 2 * 8, column = l % 4 * 2 + r % 2;
                uint32_t sum = word(l, 6 + r);
                for (int k = 0; k < rows * 2; k++)
                    sum += (uint32_t)(byte(row, k, 0) * byte(column, k, 4));
                g_assert_cmpuint(out[l * 4 + r], ==, sum);
            }
        }
    }
}

// ---- Faults -----------------------------------------------------------------

void
names_unknown_instructions()
{
    const std::string line = "k.ptx:" + std::to_string(head_lines + 2) + ": ";
    expect_error("\nfrobnicate.b32 %r1, %r2;",
                 {"unknown instruction frobnicate.b32", line.c_str()});
    expect_error("mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32 "
                 "{%f1,%f2,%f3,%f4},{%r1,%r2,%r3,%r4},{%r5,%r6},"
                 "{%f1,%f2,%f3,%f4};",
                 {"unknown instruction mma.sync"});
    expect_error("ld.volatile.global.u32 %r1, [%rd0];", {"unknown"});
    expect_error("add.s32 %r1, %rd1, %r2;", {"%rd1 is no register of 32"});
    expect_error("add.s32 %r1, %r2;", {"expected 3 operands"});
    expect_error("add.s32 %r1, %r2, %r77;", {"%r77 is no register"});
    expect_error("bra.uni nowhere;", {"unknown label"});
    expect_error(".reg .f64 %d<2>; add.f64 %d0, %d0, %d0;", {"add.f64"});
    expect_error(".shared .align 4 .b8 more[4];", {".shared"});
}

void
finds_wrong_addresses()
{
    expect_error("ld.global.u32 %r1, [%rd0+128];", {"are in no array"});
    expect_error("ld.global.u32 %r1, [%rd0+-4];", {"are in no array"});
    expect_error("ld.global.v2.u32 {%r1,%r2}, [%rd0+124];", {"misaligned"});
    expect_error("st.global.u32 [%rd2+2], %r1;", {"misaligned", "thread 0"});
    expect_error("ld.param.u32 %r1, [number+4];", {"of parameters"});
    expect_error("st.shared.u32 [%r18+508], %r1;",
                 {"of shared memory", "thread 1 "});
    expect_error("ld.local.u32 %r1, [0];", {"of local memory"});
}

void
finds_unwritten_shared_memory()
{
    expect_error("ld.shared.u32 %r1, [%r18];",
                 {"nobody has written", "ld.shared.u32 %r1, [%r18]"});
    expect_error("st.shared.u32 [%r18], %r0; bar.sync 0; "
                 "ld.shared.u32 %r1, [%r18+4];",
                 {"thread 31", "nobody has written"});
    expect_error("st.shared.u32 [%r18], %r0; bar.sync 0; "
                 "ldmatrix.sync.aligned.m8n8.x4.shared.b16 "
                 "{%r1,%r2,%r3,%r4}, [%r18];",
                 {"misaligned"});
}

void
finds_races_in_shared_memory()
{
    // Another lane's word; another warp's; written while others read.
    const char *warp = "st.shared.u32 [%r18], %r0; xor.b32 %r1, %r18, 4; %s "
                       "ld.shared.u32 %r2, [%r1];";
    std::string code = warp;
    size_t hole = code.find("%s");
    expect_error(std::string(code).replace(hole, 2, "").c_str(),
                 {"reads byte", "without a barrier since lane 1"});
    run(std::string(code).replace(hole, 2, "bar.warp.sync -1;"));
    code = "st.shared.u32 [%r18], %r0; xor.b32 %r1, %r18, 128; %s "
           "ld.shared.u32 %r2, [%r1];";
    hole = code.find("%s");
    expect_error(
        std::string(code).replace(hole, 2, "bar.warp.sync -1;").c_str(), {},
        64);
    run(std::string(code).replace(hole, 2, "bar.sync 0;"), 64);
    expect_error("st.shared.u32 [%r18], %r0; bar.sync 0; "
                 "ld.shared.u32 %r1, [%r19]; st.shared.u32 [%r18], %r0;",
                 {"overwrites what is read", "several lanes"});
}

const char queue_copy[] = "shl.b32 %r1, %r0, 4; add.s32 %r1, %r1, %r19;\n"
                          "cvta.to.global.u64 %rd3, %rd0;\n"
                          "cp.async.cg.shared.global [%r1], [%rd3], 16, %r4;\n";

void
lands_copies_when_waited_for()
{
    const std::string begin = std::string("mov.u32 %r4, 16;") + queue_copy;
    const std::string end = "ld.shared.u32 %r5, [%r1]; "
                            "st.global.u32 [%rd2+0], %r5;";
    expect_error((begin + "cp.async.commit_group;" + end).c_str(),
                 {"a copy is under way"});
    expect_error(
        (begin + "cp.async.commit_group; cp.async.wait_group 1;" + end).c_str(),
        {"a copy is under way"});
    expect_error((begin + "cp.async.wait_group 0;" + end).c_str(),
                 {"a copy is under way"});
    expect_error(begin.c_str(), {"never committed"});
    // What is copied is read as late as can be.
    std::vector<uint32_t> out =
        run(begin +
            "cp.async.commit_group; st.global.u32 [%rd2], 7;"
            "cp.async.wait_group 0;" +
            end);
    g_assert_cmpuint(out[5], ==, 7);
    out = run(std::string("mov.u32 %r4, 0;") + queue_copy +
              "cp.async.commit_group; st.global.u32 [%rd2], 7;"
              "cp.async.wait_group 0;" +
              end);
    g_assert_cmpuint(out[5], ==, 0);
    expect_error((std::string("mov.u32 %r4, 8;") + queue_copy).c_str(),
                 {"copies 8 of 16 bytes"});
}

void
finds_lanes_that_never_come()
{
    expect_error("setp.lt.u32 %p1, %r0, 16; @%p1 bra away; "
                 "shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1; away:",
                 {"waits for lanes that never come", "shfl"});
    expect_error("shfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xffff;",
                 {"mask of members is wrong"});
    expect_error("setp.lt.u32 %p1, %r0, 16; @!%p1 bra away; "
                 "shfl.sync.bfly.b32 %r1, %r0, 16, 31, 0xffff; away:",
                 {"which is no member"});
    expect_error("setp.lt.u32 %p1, %r0, 16; @%p1 bra.uni away; bar.sync 0; "
                 "away: add.s32 %r1, %r0, 1; bar.sync 0;",
                 {"never come"});
    expect_error("loop: bra.uni loop;", {"never ends"});
}

// A barrier for so many arrivals, and all lanes arrive; then what `end` says.
std::string
with_barrier(const char *count, const char *end)
{
    return std::string("setp.ne.u32 %p1, %r0, 0; @%p1 bra made; "
                       "mbarrier.init.shared::cta.b64 [0], ") +
           count +
           "; made: bar.warp.sync -1; "
           "mbarrier.arrive.shared::cta.b64 _, [0]; " +
           end;
}

void
waits_for_barriers_in_shared_memory()
{
    const char *wait = "again: { .reg .pred done; "
                       "mbarrier.try_wait.parity.shared::cta.b64 done, [0], 0;"
                       "@!done bra again; }";
    run(with_barrier("32", wait));
    expect_error(with_barrier("33", wait).c_str(),
                 {"waits for ever", "mbarrier.try_wait"});
    expect_error(with_barrier("0", wait).c_str(), {"for 0 arrivals"});
    expect_error(wait, {"nobody has made this barrier"});
    expect_error(
        with_barrier("33",
                     "setp.ne.u32 %p1, %r0, 0; @%p1 bra rest; "
                     "mbarrier.arrive.expect_tx.shared::cta.b64 _, [0], 16; "
                     "rest: again: mbarrier.try_wait.parity.shared::cta.b64 "
                     "%p1, [0], 0; @!%p1 bra again;")
            .c_str(),
        {"waits for ever"});
    // The phase before the first counts as ended.
    run(with_barrier("33", "again: mbarrier.try_wait.parity.shared::cta.b64 "
                           "%p1, [0], 1; @!%p1 bra again;"));
    expect_error("wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
                 "{%r1, %r2, %r3, %r4}, %rd0, %rd1, %p1, 1, 1, 0, 0;",
                 {"unknown instruction wgmma.mma_async"});
}

} // namespace

// Nothing that another kernel has or reads is touched before it has ended.
void
waits_for_other_grids()
{
    const std::vector<uint32_t> out =
        run("mov.u32 %r2, 7; griddepcontrol.launch_dependents;"
            "griddepcontrol.wait; st.global.u32 [%rd2], %r2;",
            64, 512, true);
    g_assert_cmpuint(out[63], ==, 7);
    expect_error("st.global.u32 [%rd2], %r0; griddepcontrol.wait;",
                 {"before griddepcontrol.wait"}, 32, true);
    expect_error("ld.global.u32 %r2, [%rd2]; griddepcontrol.wait;",
                 {"before griddepcontrol.wait"}, 32, true);
    expect_error("cp.async.cg.shared.global [%r19], [%rd0], 16;"
                 "cp.async.wait_all; griddepcontrol.wait;",
                 {"before griddepcontrol.wait"}, 32, true);
    // One thread's wait is not another's.
    expect_error("setp.eq.u32 %p1, %r0, 0; @%p1 griddepcontrol.wait;"
                 "ld.global.u32 %r2, [%rd2];",
                 {"before griddepcontrol.wait", "thread 1 "}, 32, true);
    expect_error("mov.u32 %r2, 7;", {"ends without griddepcontrol.wait"}, 64,
                 true);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ptx/computes", computes_what_the_manual_says);
    g_test_add_func("/ptx/shuffles", shuffles_between_lanes);
    g_test_add_func("/ptx/joins", joins_lanes_that_parted);
    g_test_add_func("/ptx/matrices", multiplies_matrices);
    g_test_add_func("/ptx/bytes", multiplies_bytes);
    g_test_add_func("/ptx/unknown", names_unknown_instructions);
    g_test_add_func("/ptx/addresses", finds_wrong_addresses);
    g_test_add_func("/ptx/unwritten", finds_unwritten_shared_memory);
    g_test_add_func("/ptx/races", finds_races_in_shared_memory);
    g_test_add_func("/ptx/copies", lands_copies_when_waited_for);
    g_test_add_func("/ptx/lanes", finds_lanes_that_never_come);
    g_test_add_func("/ptx/barriers", waits_for_barriers_in_shared_memory);
    g_test_add_func("/ptx/grids", waits_for_other_grids);
    return g_test_run();
}
