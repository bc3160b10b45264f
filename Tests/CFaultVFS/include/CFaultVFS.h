// A file system layer (VFS) of SQLite whose operations fail on demand, for tests. It passes everything to the default one,
// except that it counts syncs and does not execute them: a test does not survive a power failure anyhow.
#ifndef MOONRILL_CFAULTVFS_H
#define MOONRILL_CFAULTVFS_H

#include <stdbool.h>

// What is counted, over all files together. Shared memory of the write-ahead log is not.
enum fvfs_operation { FVFS_OPEN, FVFS_WRITE, FVFS_SYNC, FVFS_TRUNCATE };

// How an operation fails. Only writes know the last two; any other operation takes them for FVFS_EIO.
enum fvfs_error {
    FVFS_EIO,          // The system's EIO: SQLITE_IOERR, or SQLITE_CANTOPEN for an open.
    FVFS_ENOSPC,       // The system's ENOSPC: SQLITE_FULL for a write, else as FVFS_EIO.
    FVFS_SHORT_WRITE,  // Half of the bytes are written, then ENOSPC: SQLITE_FULL.
    FVFS_TORN_WRITE,   // Half of the bytes are written, then EIO: SQLITE_IOERR.
};

// Registers a VFS with this name, for the life of the process. The same name again resets it. Returns SQLite's code.
int fvfs_register(const char *name);

// Sets all counts to 0 and removes all faults. An unknown name ends the process, here and below.
void fvfs_reset(const char *name);

// Lets the operation with this number fail, counted from 1 since the last reset; with `for_good`, all later ones too. One
// fault for each kind of operation: a second one replaces the first.
void fvfs_fail(const char *name, enum fvfs_operation operation, int number, enum fvfs_error error, bool for_good);

// The number of operations since the last reset, failed ones too.
int fvfs_count(const char *name, enum fvfs_operation operation);

#endif
