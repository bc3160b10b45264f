// Runs one command and writes its times and memory to a file. A process inherits the peak resident size of its parent,
// so the command is started from this small program. Usage: launch OUT COMMAND...
// OUT receives: wall seconds, CPU seconds, peak resident size in bytes. The exit status is that of the command.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

static double seconds_now() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double seconds_of(timeval time) { return time.tv_sec + time.tv_usec / 1e6; }

int main(int argc, char **argv) {
    if (argc < 3) return 64;
    double started = seconds_now();
    pid_t child = vfork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    int status = 0;
    rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) != child) return 71;
    double wall = seconds_now() - started;
    FILE *out = std::fopen(argv[1], "w");
    if (!out) return 73;
    std::fprintf(out, "%.9f %.6f %ld\n", wall, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime),
                 usage.ru_maxrss * 1024);
    std::fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
