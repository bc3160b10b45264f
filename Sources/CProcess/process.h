// Private to CProcess.
#ifndef MP_PROCESS_H
#define MP_PROCESS_H

#include "CProcess.h"

#include <stdint.h>
#include <sys/resource.h>

// A limit as this process was started with; children get it back.
struct mp_limit {
    struct rlimit limit;
    bool is_known;
};
extern struct mp_limit mp_original_files, mp_original_core;

// Nanoseconds of CLOCK_MONOTONIC.
int64_t mp_now(void);

#endif
