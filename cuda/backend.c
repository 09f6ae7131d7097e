// SPDX-License-Identifier: LGPL-2.1-or-later
//
// backend.c - the CUDA backend's table, and opening a device.
// core/device/backend.c loads this module and asks for the table with the one
// exported function.
//
// Several threads may use one backend: each entry marked "any thread" makes the
// device current on its thread first. Contexts are the runtime's (primary)
// ones.

#include "cuda/cuda.h"

#include <gmodule.h>

#include "cuda/kernels.h"

#define MIN_SM 75
#define MIN_SM_BF16 80
#define MIN_SM_FP8 89 // what has matrix units for E4M3

// What cuBLASLt may use besides its operands. Source: cuBLAS documentation,
// "cublasSetWorkspace", recommended sizes.
#define WORKSPACE_SIZE ((size_t)8 << 20)
#define WORKSPACE_SIZE_HOPPER ((size_t)32 << 20)

// ---- Devices ----------------------------------------------------------------

static void
set_version(char *text, size_t size, int version)
{
    g_snprintf(text, size, "%d.%d", version / 1000, version % 1000 / 10);
}

// Why there is no device.
static void
set_no_device(GError **error)
{
    int driver = 0, count = 0;
    cudaDriverGetVersion(&driver); // 0 when the library is not there
    cudaError_t status = cudaGetDeviceCount(&count);
    cudaGetLastError();
    char has[16], needs[16];
    set_version(has, sizeof has, driver);
    set_version(needs, sizeof needs, CUDART_VERSION);
    if (driver == 0)
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "the driver library libcuda.so.1 was "
                    "not found; it comes with NVIDIA's driver");
    else if (status == cudaErrorInsufficientDriver)
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                    "the driver is for CUDA %s, this "
                    "build needs %s or later",
                    has, needs);
    else
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE, "%s",
                    cudaGetErrorString(status));
}

static bool
resolve_precision(PeCuda *cuda, PePrecision precision, GError **error)
{
    bool has_bf16 = cuda->rates.sm >= MIN_SM_BF16;
    bool has_fp8 = cuda->rates.sm >= MIN_SM_FP8;
    if (precision == PE_PRECISION_AUTO)
        precision = has_bf16 ? PE_PRECISION_BF16 : PE_PRECISION_FP16;
    cuda->be.precision = precision;
    cuda->be.k_align = 16; // whole 32-byte sectors of 16-bit elements
    // The library's fastest products add a matrix or a vector, not both.
    cuda->be.shifts_norms = true;
    switch (precision) {
    case PE_PRECISION_FP32:
        cuda->be.act = cuda->be.narrow = PE_DTYPE_F32;
        return true;
    case PE_PRECISION_FP16:
        cuda->be.act = cuda->be.narrow = PE_DTYPE_F16;
        return true;
    case PE_PRECISION_BF16:
        cuda->be.act = cuda->be.narrow = PE_DTYPE_BF16;
        if (has_bf16)
            return true;
        break;
    case PE_PRECISION_INT8: // of linears in blocks, see int8/int8.c
        cuda->be.act = cuda->be.narrow =
            has_bf16 ? PE_DTYPE_BF16 : PE_DTYPE_F16;
        return true;
    case PE_PRECISION_FP8:
        cuda->be.act = PE_DTYPE_BF16;
        cuda->be.narrow = PE_DTYPE_E4M3;
        if (has_fp8)
            return true;
        break;
    default:
        break;
    }
    g_set_error(
        error, PE_ERROR, PE_ERROR_DEVICE,
        "precision %s is not available on %s (available: fp32, fp16, int8%s%s)"
        "%s",
        pe_precision_nick(precision), cuda->description,
        has_bf16 ? ", bf16" : "", has_fp8 ? ", fp8" : "",
        precision == PE_PRECISION_FP8
            ? "; fp8 needs compute capability 8.9 (Ada) or later"
            : "");
    return false;
}

static double
get_attribute(const PeCuda *cuda, enum cudaDeviceAttr attribute)
{
    int value = 0;
    if (cudaDeviceGetAttribute(&value, attribute, cuda->device) != cudaSuccess)
        cudaGetLastError();
    return value;
}

// What is not known is as on a card of the data centre: then only the number of
// multiprocessors counts.
static void
read_rates(PeCuda *cuda, const struct cudaDeviceProp *p)
{
    // kHz, of both edges, and bits
    double memory = get_attribute(cuda, cudaDevAttrMemoryClockRate) * 2e3 *
                    get_attribute(cuda, cudaDevAttrGlobalMemoryBusWidth) / 8;
    double clock = get_attribute(cuda, cudaDevAttrClockRate) * 1e3;
    cuda->rates = (PeCudaRates){
        .sm = 10 * p->major + p->minor,
        .n_sms = p->multiProcessorCount,
        .clock = clock > 0 ? clock : 1.8e9,
        .bandwidth = memory > 0 ? memory : 1e13,
        .l2_size = (size_t)p->l2CacheSize,
    };
}

static bool
read_properties(PeCuda *cuda, GError **error)
{
    struct cudaDeviceProp p;
    cudaError_t status = cudaGetDeviceProperties(&p, cuda->device);
    if (status != cudaSuccess) {
        cudaGetLastError();
        g_set_error(error, PE_ERROR, PE_ERROR_DEVICE, "cuda:%d: %s",
                    cuda->device, cudaGetErrorString(status));
        return false;
    }
    read_rates(cuda, &p);
    cuda->description = g_strdup_printf("%s, sm_%d", p.name, cuda->rates.sm);
    if (cuda->rates.sm >= MIN_SM)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                "cuda:%d: %s has compute capability %d.%d, 7.5 (Turing) or "
                "later is needed",
                cuda->device, p.name, p.major, p.minor);
    return false;
}

// Has this build code for the device? It has that of the capabilities it was
// configured for, and PTX, from which the driver makes that of later ones.
static bool
check_code(PeCuda *cuda, GError **error)
{
    pe_cuda_use(cuda);
    cudaError_t status = (cudaError_t)pe_cuda_probe_code(&cuda->code_version);
    cudaGetLastError();
    if (status == cudaSuccess)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_DEVICE,
                "cuda:%d: this build has no code for %s (%s); configure it "
                "with -Dgpu-arch=%d",
                cuda->device, cuda->description, cudaGetErrorString(status),
                cuda->rates.sm);
    return false;
}

// $XDG_CACHE_HOME/gst-pe/cublaslt-DEVICE-VERSION.txt: what was measured on this
// device with this version of the library.
static char *
algos_path(const PeCuda *cuda)
{
    struct cudaDeviceProp p;
    if (cudaGetDeviceProperties(&p, cuda->device) != cudaSuccess)
        return NULL;
    g_autoptr(GString) name = g_string_new("cublaslt-");
    for (size_t i = 0; i < sizeof p.uuid.bytes; i++)
        g_string_append_printf(name, "%02x", (guint8)p.uuid.bytes[i]);
    g_string_append_printf(name, "-%zu.txt", cuda->lt->GetVersion());
    return g_build_filename(g_get_user_cache_dir(), "gst-pe", name->str, NULL);
}

// The library rounds to 16 bits after its GELU, ours reads what was rounded
// before: with the 8 bits of bf16 the library's is the nearer one to the exact
// form, although it computes another.
static PeGelu
choose_gelu(const PeCuda *cuda)
{
    const char *asked = g_getenv("PE_CUDA_GELU");
    if (g_strcmp0(asked, "tanh") == 0)
        return PE_GELU_LIBRARY;
    if (g_strcmp0(asked, "erf") == 0 || cuda->be.act != PE_DTYPE_BF16)
        return PE_GELU_EXACT;
    return PE_GELU_FASTER;
}

// Everything that belongs to the device. False leaves the rest to cuda_close().
static bool
set_up(PeCuda *cuda)
{
    pe_cuda_use(cuda);
    if (!pe_cuda_check(
            cuda,
            cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
            "making a stream") ||
        !pe_cuda_memory_init(cuda))
        return false;
    cublasStatus_t status = cuda->lt->Create(&cuda->lt_handle);
    if (status != CUBLAS_STATUS_SUCCESS) {
        pe_cuda_fail(cuda, "cublasLtCreate failed with status %d", (int)status);
        return false;
    }
    cuda->workspace_size =
        cuda->rates.sm >= SM_HOPPER ? WORKSPACE_SIZE_HOPPER : WORKSPACE_SIZE;
    cuda->workspace = pe_cuda_alloc(&cuda->be, cuda->workspace_size);
    cuda->context = pe_cuda_get_context(cuda->device);
    cuda->ingest = pe_cuda_ingest_new(cuda);
    cuda->graphs = pe_cuda_graphs_new();
    g_autofree char *path = algos_path(cuda);
    cuda->algos = pe_algos_new(path);
    cuda->autotune = g_strcmp0(g_getenv("PE_CUDA_AUTOTUNE"), "0") != 0;
    cuda->gelu = choose_gelu(cuda);
    cuda->pass.wanted = g_strcmp0(g_getenv("PE_CUDA_TIMES"), "1") == 0;
    pe_cuda_ask_attention(cuda);
    pe_cuda_ask_block(cuda);
    pe_cuda_ask_launches(cuda);
    return cuda->workspace && cuda->ingest && !cuda->error;
}

static void
cuda_close(PeBackend *be)
{
    PeCuda *cuda = (PeCuda *)be;
    pe_cuda_use(cuda);
    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    pe_cuda_graphs_free(cuda->graphs);
    pe_cuda_ingest_free(cuda->ingest);
    pe_algos_free(cuda->algos);
    cudaFree(cuda->workspace);
    if (cuda->lt_handle)
        cuda->lt->Destroy(cuda->lt_handle);
    pe_cuda_memory_clear(cuda);
    pe_cuda_pass_clear(cuda);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    cudaGetLastError();
    g_free(cuda->description);
    g_free(cuda);
}

static PeBackend *cuda_open(const PeBackendParams *params, GError **error);

static const char *
cuda_describe(PeBackend *be)
{
    return ((PeCuda *)be)->description;
}

static const char *
cuda_sync(PeBackend *be)
{
    PeCuda *cuda = (PeCuda *)be;
    g_autoptr(GError) error = NULL;
    if (pe_cuda_check(cuda, cudaGetLastError(), "starting an operation"))
        pe_cuda_check(cuda, cudaStreamSynchronize(cuda->stream),
                      "an operation");
    pe_cuda_pass_log(cuda);
    if (!pe_algos_save(cuda->algos, &error))
        pe_log(PE_LOG_WARNING, "measured algorithms are not kept: %s",
               error->message);
    return g_atomic_pointer_get(&cuda->error);
}

// ---- Operations -------------------------------------------------------------

static void
cuda_patchify_f32(PeBackend *be, void *y, const float *pixels, int b, int h,
                  int w, int patch, int k_padded)
{
    pe_cuda_patchify_f32(((PeCuda *)be)->stream, be->act, y, pixels, b, h, w,
                         patch, k_padded);
}

static void
cuda_tokens(PeBackend *be, float *x, const float *patches, const float *cls,
            const float *pos, int b, int np, int d)
{
    pe_cuda_tokens(((PeCuda *)be)->stream, x, patches, cls, pos, b, np, d);
}

static void
cuda_layernorm(PeBackend *be, void *y, PeDtype type, const float *x,
               const float *shift, const float *w, const float *b, int rows,
               int d, float eps)
{
    pe_cuda_layernorm(pe_cuda_stream((PeCuda *)be), type, y, x, shift, w, b,
                      rows, d, eps, NULL);
}

static void
cuda_pool(PeBackend *be, void *y, float *scores, const float *u, const void *x,
          int b, int n, int heads, int d)
{
    pe_cuda_pool(((PeCuda *)be)->stream, be->act, y, scores, u, x, b, n, heads,
                 d);
}

static void
cuda_gather(PeBackend *be, float *y, const float *x, const int *rows, int n,
            int d)
{
    pe_cuda_gather(((PeCuda *)be)->stream, y, x, rows, n, d);
}

static void
cuda_convert(PeBackend *be, void *y, const float *x, size_t n)
{
    pe_cuda_convert(((PeCuda *)be)->stream, be->act, y, x, n);
}

static int
cuda_batch_bucket(PeBackend *be, int n, int max, int tokens, int width,
                  int mlp_width)
{
    return pe_cuda_batch_bucket(&((PeCuda *)be)->rates, n, max, tokens, width,
                                mlp_width);
}

static const PeBackendOps ops = {
    .name = "cuda",
    .count = pe_cuda_count,
    .open = cuda_open,
    .close = cuda_close,
    .describe = cuda_describe,
    .alloc = pe_cuda_alloc,
    .free = pe_cuda_free,
    .upload = pe_cuda_upload,
    .download = pe_cuda_download,
    .sync = cuda_sync,
    .linear_new = pe_cuda_linear_new,
    .linear_free = pe_cuda_linear_free,
    .slot_new = pe_cuda_slot_new,
    .slot_free = pe_cuda_slot_free,
    .ingest = pe_cuda_ingest,
    .patchify = pe_cuda_patchify_slots,
    .patchify_f32 = cuda_patchify_f32,
    .tokens = cuda_tokens,
    .layernorm = cuda_layernorm,
    .linear = pe_cuda_linear,
    .attention = pe_cuda_attend,
    .rope_attention = pe_cuda_rope_attention,
    .block = pe_cuda_block,
    .pool = cuda_pool,
    .gather = cuda_gather,
    .convert = cuda_convert,
    .gemm_seconds = pe_cuda_gemm_seconds,
    .graph_begin = pe_cuda_graph_begin,
    .graph_end = pe_cuda_graph_end,
    .download_begin = pe_cuda_download_begin,
    .download_end = pe_cuda_download_end,
    .get_context = pe_cuda_get_context,
    .batch_bucket = cuda_batch_bucket,
};

static PeBackend *
cuda_open(const PeBackendParams *params, GError **error)
{
    if (pe_cuda_count() == 0) {
        set_no_device(error);
        return NULL;
    }
    const PeCublasLt *lt = pe_cublaslt_open(error);
    if (!lt)
        return NULL;
    PeCuda *cuda = g_new0(PeCuda, 1);
    cuda->be.ops = &ops;
    cuda->device = params->device;
    cuda->lt = lt;
    if (!read_properties(cuda, error) || !check_code(cuda, error) ||
        !resolve_precision(cuda, params->precision, error)) {
        g_free(cuda->description);
        g_free(cuda);
        return NULL;
    }
    if (!set_up(cuda)) {
        bool failed = cuda->error != NULL;
        g_set_error(error, PE_ERROR, failed ? PE_ERROR_BACKEND : PE_ERROR_NOMEM,
                    "cuda:%d (%s) cannot be used: %s", cuda->device,
                    cuda->description,
                    failed ? cuda->error : "no memory left for the workspace");
        cuda_close(&cuda->be);
        return NULL;
    }
    return &cuda->be;
}

// The module's one exported name, see core/device/backend.h.
G_MODULE_EXPORT const PeBackendOps *pe_cuda_get_backend(PeLogFunc log,
                                                        void *data);

const PeBackendOps *
pe_cuda_get_backend(PeLogFunc log, void *data)
{
    pe_cuda_set_log(log, data);
    return &ops;
}
