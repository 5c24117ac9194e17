/* For soak runs alone: sets the wall clock of one process apart from the machine's, by LD_PRELOAD.
 * SOAK_CLOCK names a file of eight bytes, seconds ahead as a little-endian number; it may change at any time.
 * Monotonic clocks and all waiting stay as they are. cc -shared -fPIC -O2 wall_clock.c -o wall_clock.so -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int (*next_gettime)(clockid_t, struct timespec *);
static const volatile int64_t *ahead_s;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("SOAK_CLOCK");
    int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    next_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (file >= 0) {
        void *seen = mmap(0, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
        if (seen != MAP_FAILED) ahead_s = seen;
        close(file);
    }
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    if (!next_gettime) begin();
    int failed = next_gettime(clock, now);
    if (!failed && ahead_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *ahead_s;
    return failed;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *kept) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (kept) *kept = found.tv_sec;
    return found.tv_sec;
}
