// SPDX-License-Identifier: LGPL-2.1-or-later
//
// launch.cpp - finds kernels by their host functions' names, see launch.h.

#include "tests/cuda_host/ptx/launch.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "tests/cuda_host/ptx/machine.h"

namespace
{

std::vector<std::unique_ptr<PtxModule>> modules;

struct Loaded {
    const PtxModule *module;
    const PtxKernel *kernel;
    PtxProgram program;
};

std::map<std::string, Loaded> known; // decoded when first launched

const Loaded &
find_kernel(const std::string &name)
{
    auto found = known.find(name);
    if (found != known.end())
        return found->second;
    for (const auto &m : modules) {
        auto k = m->kernels.find(name);
        if (k != m->kernels.end())
            return known[name] = {m.get(), &k->second,
                                  ptx_decode(*m, k->second)};
    }
    throw PtxError("no PTX has a kernel " + name);
}

// Is it for 9.0 or later? Older code knows nothing of dependents.
bool
is_for_hopper(const PtxModule &module)
{
    return strtol(module.target.c_str() + strlen("sm_"), nullptr, 10) >= 90;
}

} // namespace

std::string
ptx_load_file(const std::string &path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    if (!file)
        throw PtxError(path + ": cannot be read");
    modules.emplace_back(new PtxModule(
        ptx_read_module(path.substr(path.rfind('/') + 1), text.str())));
    return modules.back()->target;
}

std::vector<std::string>
ptx_list_idle()
{
    std::vector<std::string> idle;
    for (const auto &m : modules) {
        for (const auto &k : m->kernels) {
            if (!known.count(k.first))
                idle.push_back(k.first);
        }
    }
    return idle;
}

void
ptx_launch(const void *kernel, dim3 grid, dim3 block, size_t shared,
           bool dependent,
           const std::vector<std::pair<const void *, size_t>> &arguments)
{
    Dl_info info;
    if (!dladdr(kernel, &info) || info.dli_saddr != kernel)
        throw PtxError("a kernel's host function has no name");
    const Loaded &k = find_kernel(info.dli_sname);
    PtxLaunch launch = {k.module,
                        k.kernel,
                        &k.program,
                        {grid.x, grid.y, grid.z},
                        {block.x, block.y, block.z},
                        shared,
                        {},
                        dependent && is_for_hopper(*k.module)};
    const std::vector<PtxVariable> &parameters = k.program.parameters;
    if (parameters.size() != arguments.size())
        throw PtxError(k.kernel->name + " has other parameters");
    launch.parameters.resize(k.program.parameters_size);
    for (size_t i = 0; i < parameters.size(); i++) {
        if (parameters[i].size != arguments[i].second)
            throw PtxError(k.kernel->name + " has a parameter of " +
                           std::to_string(parameters[i].size) +
                           " bytes and gets " +
                           std::to_string(arguments[i].second));
        memcpy(&launch.parameters[parameters[i].offset], arguments[i].first,
               arguments[i].second);
    }
    if (const auto before = pe_emulator_take_primary())
        before();
    ptx_run(launch);
}
