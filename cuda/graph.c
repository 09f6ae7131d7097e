// SPDX-License-Identifier: LGPL-2.1-or-later
//
// graph.c - recordings of operations that are always the same: starting a
// hundred kernels one by one takes longer than a small batch computes.
//
// The first call of a key runs as it is: matrix products choose their
// algorithms, and kernels are loaded. The second is recorded.

#include "cuda/cuda.h"

// More are run without recording.
#define MAX_GRAPHS 256

// A recording is spoiled when another part of the program waits for the whole
// context. Once may be a coincidence; after this many times the key is run
// without a recording.
#define MAX_FAILURES 3

typedef struct {
    bool tuned;     // has run once
    bool once_more; // they run as they are before the next recording
    int n_failures; // to record it
    cudaGraphExec_t exec;
} Graph;

struct PeGraphs {
    GHashTable *table; // key -> Graph
    Graph *recording;
    bool tuning; // operations of a key's first call are being queued
    bool spoiled;
    bool warned;
};

static void
graph_free(void *data)
{
    Graph *g = data;
    if (g->exec)
        cudaGraphExecDestroy(g->exec);
    g_free(g);
}

struct PeGraphs *
pe_cuda_graphs_new(void)
{
    struct PeGraphs *graphs = g_new0(struct PeGraphs, 1);
    graphs->table =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, graph_free);
    return graphs;
}

void
pe_cuda_graphs_free(struct PeGraphs *graphs)
{
    if (!graphs)
        return;
    g_hash_table_unref(graphs->table);
    g_free(graphs);
}

bool
pe_cuda_graphs_recording(const struct PeGraphs *graphs)
{
    return graphs->recording != NULL;
}

bool
pe_cuda_graphs_tuning(const struct PeGraphs *graphs)
{
    return graphs->tuning;
}

void
pe_cuda_graphs_spoil(struct PeGraphs *graphs)
{
    graphs->spoiled = true;
}

// NULL: there are too many.
static Graph *
get_graph(struct PeGraphs *graphs, uint64_t key)
{
    gint64 k = (gint64)key;
    Graph *g = g_hash_table_lookup(graphs->table, &k);
    if (!g && g_hash_table_size(graphs->table) < MAX_GRAPHS) {
        g = g_new0(Graph, 1);
        g_hash_table_insert(graphs->table, g_memdup2(&k, sizeof k), g);
    }
    return g;
}

// Recording has failed; it will be tried again, but not for ever.
static void
note_failure(PeCuda *cuda, Graph *g, const char *what, cudaError_t status)
{
    struct PeGraphs *graphs = cuda->graphs;
    const char *why = cudaGetErrorString(status);
    cudaGetLastError();
    pe_log(PE_LOG_DEBUG, "%s: %s failed: %s (attempt %d of %d)",
           cuda->description, what, why, g->n_failures + 1, MAX_FAILURES);
    if (++g->n_failures < MAX_FAILURES || graphs->warned)
        return;
    pe_log(PE_LOG_WARNING,
           "%s: operations are started one by one, recording them failed: %s",
           cuda->description, why);
    graphs->warned = true;
}

bool
pe_cuda_graph_begin(PeBackend *be, uint64_t key)
{
    PeCuda *cuda = (PeCuda *)be;
    Graph *g = get_graph(cuda->graphs, key);
    if (!g || g->n_failures == MAX_FAILURES)
        return false;
    if (g->exec) {
        pe_cuda_check(cuda, cudaGraphLaunch(g->exec, cuda->stream),
                      "starting a graph");
        pe_cuda_pass_end(cuda);
        return true;
    }
    if (!g->tuned) {
        g->tuned = cuda->graphs->tuning = true;
        return false;
    }
    if (g->once_more) {
        g->once_more = false;
        return false;
    }
    // Other threads go on allocating and preprocessing meanwhile.
    cudaError_t status =
        cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal);
    if (status == cudaSuccess) {
        cuda->graphs->recording = g;
        cuda->graphs->spoiled = false;
    } else {
        note_failure(cuda, g, "beginning a recording", status);
    }
    return false;
}

static cudaError_t
finish_recording(PeCuda *cuda, Graph *g)
{
    cudaGraph_t graph = NULL;
    cudaError_t launches = cudaGetLastError();
    cudaError_t status = cudaStreamEndCapture(cuda->stream, &graph);
    if (status == cudaSuccess)
        status = launches;
    if (status == cudaSuccess && cuda->graphs->spoiled)
        status = cudaErrorStreamCaptureInvalidated;
    if (status == cudaSuccess)
        status = cudaGraphInstantiate(&g->exec, graph, 0);
    if (graph)
        cudaGraphDestroy(graph);
    if (status == cudaSuccess)
        status = cudaGraphLaunch(g->exec, cuda->stream);
    return status;
}

bool
pe_cuda_graph_end(PeBackend *be)
{
    PeCuda *cuda = (PeCuda *)be;
    struct PeGraphs *graphs = cuda->graphs;
    Graph *g = graphs->recording;
    graphs->recording = NULL;
    graphs->tuning = false;
    if (!g)
        return true;
    cudaError_t status = finish_recording(cuda, g);
    if (status == cudaSuccess)
        return true;
    if (g->exec)
        cudaGraphExecDestroy(g->exec);
    g->exec = NULL;
    g->once_more = true;
    note_failure(cuda, g, "recording", status);
    // Perhaps it is only what begins early that cannot be recorded: the last
    // attempt is without.
    if (g->n_failures == MAX_FAILURES - 1 && cuda->dependent_now)
        pe_cuda_drop_launches(cuda, "cannot be recorded");
    return false;
}
