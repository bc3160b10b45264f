// The VFS: counts operations, fails those that are asked for, and passes on the others.

#include "CFaultVFS.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPERATIONS = 4 };

struct fault {
    int number;  // 0: none
    enum fvfs_error error;
    bool for_good;
};

struct faulty_vfs {
    sqlite3_vfs base;
    sqlite3_vfs *real;
    pthread_mutex_t mutex;  // of the two below
    int counts[OPERATIONS];
    struct fault faults[OPERATIONS];
    struct faulty_vfs *next;
};

struct faulty_file {
    sqlite3_file base;
    struct faulty_vfs *vfs;
    sqlite3_file *real;  // lies behind this struct
};

static struct faulty_vfs *registered;
static pthread_mutex_t registration = PTHREAD_MUTEX_INITIALIZER;

// Counts an operation. Returns whether it fails, and sets `error` if so.
static bool fails(struct faulty_vfs *vfs, enum fvfs_operation operation, enum fvfs_error *error) {
    pthread_mutex_lock(&vfs->mutex);
    int number = ++vfs->counts[operation];
    struct fault fault = vfs->faults[operation];
    pthread_mutex_unlock(&vfs->mutex);
    *error = fault.error;
    return fault.number > 0 && (number == fault.number || (fault.for_good && number > fault.number));
}

// SQLite asks for errno by xGetLastError of the real VFS.
static void set_errno(enum fvfs_error error, bool is_write) {
    errno = error == FVFS_ENOSPC || (is_write && error == FVFS_SHORT_WRITE) ? ENOSPC : EIO;
}

// MARK: Files

static struct faulty_file *self(sqlite3_file *file) { return (struct faulty_file *)file; }
static sqlite3_file *real(sqlite3_file *file) { return self(file)->real; }

static int file_close(sqlite3_file *file) { return real(file)->pMethods->xClose(real(file)); }

static int file_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    return real(file)->pMethods->xRead(real(file), bytes, count, offset);
}

static int file_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    enum fvfs_error error;
    if (!fails(self(file)->vfs, FVFS_WRITE, &error)) {
        return real(file)->pMethods->xWrite(real(file), bytes, count, offset);
    }
    if ((error == FVFS_SHORT_WRITE || error == FVFS_TORN_WRITE) && count > 1) {
        int result = real(file)->pMethods->xWrite(real(file), bytes, count / 2, offset);
        if (result != SQLITE_OK) return result;
    }
    set_errno(error, true);
    return error == FVFS_ENOSPC || error == FVFS_SHORT_WRITE ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
    enum fvfs_error error;
    if (!fails(self(file)->vfs, FVFS_TRUNCATE, &error)) return real(file)->pMethods->xTruncate(real(file), size);
    set_errno(error, false);
    return SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *file, int flags) {
    (void)flags;
    enum fvfs_error error;
    if (!fails(self(file)->vfs, FVFS_SYNC, &error)) return SQLITE_OK;
    set_errno(error, false);
    return SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real(file)->pMethods->xFileSize(real(file), size);
}

static int file_lock(sqlite3_file *file, int level) { return real(file)->pMethods->xLock(real(file), level); }

static int file_unlock(sqlite3_file *file, int level) { return real(file)->pMethods->xUnlock(real(file), level); }

static int file_check_lock(sqlite3_file *file, int *is_reserved) {
    return real(file)->pMethods->xCheckReservedLock(real(file), is_reserved);
}

static int file_control(sqlite3_file *file, int operation, void *argument) {
    return real(file)->pMethods->xFileControl(real(file), operation, argument);
}

static int file_sector_size(sqlite3_file *file) { return real(file)->pMethods->xSectorSize(real(file)); }

static int file_characteristics(sqlite3_file *file) {
    return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extends, void volatile **memory) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extends, memory);
}

static int file_shm_lock(sqlite3_file *file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *file) { real(file)->pMethods->xShmBarrier(real(file)); }

static int file_shm_unmap(sqlite3_file *file, int deletes) {
    return real(file)->pMethods->xShmUnmap(real(file), deletes);
}

static int file_fetch(sqlite3_file *file, sqlite3_int64 offset, int count, void **memory) {
    return real(file)->pMethods->xFetch(real(file), offset, count, memory);
}

static int file_unfetch(sqlite3_file *file, sqlite3_int64 offset, void *memory) {
    return real(file)->pMethods->xUnfetch(real(file), offset, memory);
}

// By version, which tells SQLite what a file can do: 1 no shared memory, 2 no mapped pages.
#define METHODS(version)                                                                                       \
    {(version),     file_close,      file_read,        file_write,   file_truncate,    file_sync,              \
     file_size,     file_lock,       file_unlock,      file_check_lock, file_control,  file_sector_size,       \
     file_characteristics, file_shm_map, file_shm_lock, file_shm_barrier, file_shm_unmap, file_fetch, file_unfetch}
static const sqlite3_io_methods methods[] = {METHODS(1), METHODS(2), METHODS(3)};

// MARK: The VFS

static sqlite3_vfs *real_vfs(sqlite3_vfs *vfs) { return ((struct faulty_vfs *)vfs)->real; }

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *flags_out) {
    struct faulty_file *opened = self(file);
    opened->base.pMethods = NULL;
    opened->vfs = (struct faulty_vfs *)vfs;
    opened->real = (sqlite3_file *)(opened + 1);
    enum fvfs_error error;
    if (fails(opened->vfs, FVFS_OPEN, &error)) {
        set_errno(error, false);
        return SQLITE_CANTOPEN;
    }
    int result = real_vfs(vfs)->xOpen(real_vfs(vfs), name, opened->real, flags, flags_out);
    // A file with methods is closed by SQLite even if it could not be opened.
    if (opened->real->pMethods) {
        int version = opened->real->pMethods->iVersion;
        opened->base.pMethods = &methods[(version > 3 ? 3 : version) - 1];
    }
    return result;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int syncs_folder) {
    (void)syncs_folder;
    return real_vfs(vfs)->xDelete(real_vfs(vfs), name, 0);
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *answer) {
    return real_vfs(vfs)->xAccess(real_vfs(vfs), name, flags, answer);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *path) {
    return real_vfs(vfs)->xFullPathname(real_vfs(vfs), name, size, path);
}

static int vfs_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    return real_vfs(vfs)->xRandomness(real_vfs(vfs), count, bytes);
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
    return real_vfs(vfs)->xSleep(real_vfs(vfs), microseconds);
}

static int vfs_time(sqlite3_vfs *vfs, double *days) { return real_vfs(vfs)->xCurrentTime(real_vfs(vfs), days); }

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *text) {
    return real_vfs(vfs)->xGetLastError(real_vfs(vfs), size, text);
}

static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
    return real_vfs(vfs)->xCurrentTimeInt64(real_vfs(vfs), milliseconds);
}

// MARK: Interface

static struct faulty_vfs *find(const char *name) {
    pthread_mutex_lock(&registration);
    struct faulty_vfs *vfs = registered;
    while (vfs && strcmp(vfs->base.zName, name) != 0) vfs = vfs->next;
    pthread_mutex_unlock(&registration);
    return vfs;
}

static struct faulty_vfs *require(const char *name) {
    struct faulty_vfs *vfs = find(name);
    if (!vfs) {
        fprintf(stderr, "CFaultVFS: no VFS is registered as \"%s\"\n", name);
        abort();
    }
    return vfs;
}

int fvfs_register(const char *name) {
    int result = sqlite3_initialize();
    if (result != SQLITE_OK) return result;
    if (find(name)) {
        fvfs_reset(name);
        return SQLITE_OK;
    }
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    if (!below) return SQLITE_ERROR;
    struct faulty_vfs *vfs = calloc(1, sizeof *vfs);
    char *copy = strdup(name);
    if (!vfs || !copy) {
        free(vfs);
        free(copy);
        return SQLITE_NOMEM;
    }
    pthread_mutex_init(&vfs->mutex, NULL);
    vfs->real = below;
    // Without xDlOpen: extensions cannot be loaded.
    vfs->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = (int)sizeof(struct faulty_file) + below->szOsFile,
        .mxPathname = below->mxPathname,
        .zName = copy,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_int64,
    };
    result = sqlite3_vfs_register(&vfs->base, 0);
    if (result != SQLITE_OK) {
        free(copy);
        free(vfs);
        return result;
    }
    pthread_mutex_lock(&registration);
    vfs->next = registered;
    registered = vfs;
    pthread_mutex_unlock(&registration);
    return SQLITE_OK;
}

void fvfs_reset(const char *name) {
    struct faulty_vfs *vfs = require(name);
    pthread_mutex_lock(&vfs->mutex);
    memset(vfs->counts, 0, sizeof vfs->counts);
    memset(vfs->faults, 0, sizeof vfs->faults);
    pthread_mutex_unlock(&vfs->mutex);
}

void fvfs_fail(const char *name, enum fvfs_operation operation, int number, enum fvfs_error error, bool for_good) {
    struct faulty_vfs *vfs = require(name);
    pthread_mutex_lock(&vfs->mutex);
    vfs->faults[operation] = (struct fault){number, error, for_good};
    pthread_mutex_unlock(&vfs->mutex);
}

int fvfs_count(const char *name, enum fvfs_operation operation) {
    struct faulty_vfs *vfs = require(name);
    pthread_mutex_lock(&vfs->mutex);
    int count = vfs->counts[operation];
    pthread_mutex_unlock(&vfs->mutex);
    return count;
}
