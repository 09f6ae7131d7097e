#pragma once
#include "core/pe.h"
typedef struct { const PeFrame *frame; const void *regions; int n_regions; int64_t deadline, expire; } PeSubmit;
static inline bool pe_client_submit2(PeClient *c, const PeSubmit *s, PeJob **jobs, GError **e)
{ jobs[0] = pe_client_submit(c, s->frame, e); return jobs[0] != NULL; }
#define pe_client_submit pe_client_submit2
static inline void pe_client_set_max_queued(PeClient *c, int n) {}
static inline int pe_client_count_queued(PeClient *c) { return 0; }
#define pe_client_run_now pe_client_hurry
