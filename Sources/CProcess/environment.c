// Secrets in the environment, and the limits that keep them out of core dumps.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

struct mp_limit mp_original_files, mp_original_core;

static struct kept {
    struct kept *next;
    char *name;
} *kept;

static bool is_named(const char *entry, const char *name, size_t length) {
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static bool is_kept(const char *entry) {
    for (struct kept *each = kept; each != NULL; each = each->next)
        if (is_named(entry, each->name, strlen(each->name))) return true;
    return false;
}

const char *mp_variable(size_t index) {
    for (char **each = environ; each != NULL && *each != NULL; each++, index--)
        if (index == 0) return *each;
    return NULL;
}

void mp_keep_variable(const char *name) {
    struct kept *added = malloc(sizeof *added);
    if (added == NULL) return;
    added->name = strdup(name);
    if (added->name == NULL) {
        free(added);
        return;
    }
    added->next = kept;
    kept = added;
}

// The strings are where the kernel put them, which /proc/self/environ shows; unsetenv(3) leaves their bytes.
static void erase(char **place) {
    char *entry = *place;
    for (char **each = place; (each[0] = each[1]) != NULL; each++) {}
    explicit_bzero(entry, strlen(entry));
}

void mp_erase_variable(const char *name) {
    size_t length = strlen(name);
    if (length == 0) return;
    // A name can occur twice; getenv(3) returns the first.
    for (char **each = environ; each != NULL && *each != NULL;) {
        if (is_named(*each, name, length) && !is_kept(*each)) erase(each);
        else each++;
    }
}

void mp_erase_variables_holding(const char *secret) {
    if (*secret == '\0') return;
    for (char **each = environ; each != NULL && *each != NULL;) {
        const char *value = strchr(*each, '=');
        if (value != NULL && strstr(value + 1, secret) != NULL && !is_kept(*each)) erase(each);
        else each++;
    }
}

static void set_soft_limit(int resource, struct mp_limit *original, bool to_hard) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0) return;
    if (!original->is_known) {
        original->limit = limit;
        original->is_known = true;
    }
    limit.rlim_cur = to_hard ? limit.rlim_max : 0;
    // If the system refuses, the limit stays.
    setrlimit(resource, &limit);
}

void mp_forbid_core_files(void) { set_soft_limit(RLIMIT_CORE, &mp_original_core, false); }

void mp_raise_file_limit(void) { set_soft_limit(RLIMIT_NOFILE, &mp_original_files, true); }

void mp_protect_memory(void) { prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
