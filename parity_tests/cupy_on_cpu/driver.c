// A CUDA driver and runtime whose device is the CPU: device memory is malloc's, a kernel is a function of a shared
// library (compiling.py), a launch runs it at once. What CuPy asks for is here; all else it finds missing.
//
// `cu...` are the driver's functions, which CuPy looks up in libcuda.so.1. `runtime_...` take the place of the runtime's,
// which are compiled into CuPy (driver.py puts them there). Streams do not run beside each other: events and waits do
// nothing. A capture records launches, copies, fills and calls, and launching its graph does them again.
//
// Fresh memory is full of 0xff: floats that nobody wrote are NaN.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_IMAGE = 200, NOT_FOUND = 500,
       LAUNCH_FAILED = 719, NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900 };
enum { TO_DEVICE = 1, TO_HOST = 2 };  // kinds of copies
enum { THREADS = 1024, SHARED = 48 << 10, MOST_SHARED = 227 << 10, PROCESSORS = 132, ORDER = 2 };
static const size_t MEMORY = 8ull << 30;

typedef const char *(*Run)(const unsigned *sizes, void **args, size_t shared, int order);  // cuda_emu.h's EMU_EXPORT
typedef struct {
    Run run;
    char name[256];
    int shared;            // bytes of shared memory that a launch may ask for
    int count, bytes[64];  // of the parameters
} Function;

typedef struct Node {
    struct Node *next;
    enum { LAUNCH, COPY, FILL, CALL } what;
    Function *function;
    unsigned sizes[6], shared;
    void **args;
    void *to;
    const void *from;
    size_t n;
    int value;
    long number;
} Node;
typedef struct { Node *first, **end; } Graph;

static Graph *recording;  // of `recorded`, while a capture is under way
static void *recorded;
static void (*call)(long);  // does call number n once more
static char error[4096] = "";
static size_t used;
long crossings;  // copies between host and device

static int fail(int status, const char *what, const char *why) {
    snprintf(error, sizeof error, "%s: %s", what, why);
    return status;
}

static Node *record(int what) {
    Node *node = calloc(1, sizeof *node);
    node->what = what;
    *recording->end = node;
    recording->end = &node->next;
    return node;
}

// ---- for Python ----

void on_call(void (*function)(long)) { call = function; }
int record_call(long number) {  // whether a capture is under way, which has it now
    if (recording) record(CALL)->number = number;
    return recording != NULL;
}

// ---- the driver: contexts, modules, functions, launches ----

int cuInit(unsigned flags) { return SUCCESS; }
int cuGetErrorName(int status, const char **text) {
    static char name[32];
    snprintf(name, sizeof name, "CUDA_ERROR_%d", status);
    *text = name;
    return SUCCESS;
}
int cuGetErrorString(int status, const char **text) { *text = error; return SUCCESS; }
int cuDevicePrimaryCtxRelease_v2(int device) { return SUCCESS; }
int cuCtxGetCurrent(void **context) { *context = &recording; return SUCCESS; }
int cuCtxSetCurrent(void *context) { return SUCCESS; }
int cuCtxCreate_v2(void **context, unsigned flags, int device) { return cuCtxGetCurrent(context); }
int cuCtxDestroy_v2(void *context) { return SUCCESS; }
int cuCtxGetDevice(int *device) { *device = 0; return SUCCESS; }
int cuStreamGetCtx(void *stream, void **context) { return cuCtxGetCurrent(context); }
int cuLinkCreate_v2() { return NOT_SUPPORTED; }
int cuLinkAddData_v2() { return NOT_SUPPORTED; }
int cuLinkAddFile_v2() { return NOT_SUPPORTED; }
int cuLinkComplete() { return NOT_SUPPORTED; }
int cuLinkDestroy() { return NOT_SUPPORTED; }
int cuModuleLoad() { return NOT_SUPPORTED; }
int cuModuleUnload(void *module) { return SUCCESS; }  // a captured graph may still use it
int cuLaunchCooperativeKernel() { return NOT_SUPPORTED; }

int cuModuleLoadData(void **module, const char *path) {
    *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    return *module ? SUCCESS : fail(INVALID_IMAGE, path, dlerror());
}

int cuModuleGetGlobal_v2(void **place, size_t *size, void *module, const char *name) {
    *place = dlsym(module, name);
    return *place ? SUCCESS : fail(NOT_FOUND, name, "no such symbol");
}

int cuModuleGetFunction(Function **function, void *module, const char *name) {
    char symbol[300];
    snprintf(symbol, sizeof symbol, "%s__signature", name);
    const char *(*signature)() = (const char *(*)())dlsym(module, symbol);
    snprintf(symbol, sizeof symbol, "%s__run", name);
    Run run = (Run)dlsym(module, symbol);
    if (!run || !signature) return fail(NOT_FOUND, name, "no such kernel");
    Function *f = calloc(1, sizeof *f);
    snprintf(f->name, sizeof f->name, "%s", name);
    f->run = run;
    f->shared = SHARED;
    char parameters[2048], *rest;
    snprintf(parameters, sizeof parameters, "%s", signature());
    for (char *p = strtok_r(parameters, " ", &rest); p; p = strtok_r(NULL, " ", &rest))  // as in "*f4 i8 V140"
        f->bytes[f->count++] = *p == '*' ? sizeof(void *) : atoi(p + 1);
    *function = f;
    return SUCCESS;
}

int cuLaunchKernel(Function *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **args, void **extra) {
    unsigned sizes[6] = {gx, gy, gz, bx, by, bz};
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz - 1u >= THREADS || (int)shared > f->shared) {
        char why[200];
        snprintf(why, sizeof why, "a grid of %u x %u x %u blocks of %u x %u x %u threads with %u bytes of shared memory",
                 gx, gy, gz, bx, by, bz, shared);
        return fail(INVALID_VALUE, f->name, why);
    }
    if (recording && stream == recorded) {
        Node *node = record(LAUNCH);
        node->function = f;
        memcpy(node->sizes, sizes, sizeof sizes);
        node->shared = shared;
        node->args = calloc(f->count, sizeof *node->args);
        for (int i = 0; i < f->count; ++i) node->args[i] = memcpy(malloc(f->bytes[i]), args[i], f->bytes[i]);
        return SUCCESS;
    }
    const char *why = f->run(sizes, args, shared, ORDER);
    return why ? fail(LAUNCH_FAILED, f->name, why) : SUCCESS;
}

int cuFuncGetAttribute(int *value, int attribute, Function *f) {
    *value = attribute == 0 ? THREADS : attribute == 4 ? 32 : attribute == 8 ? f->shared : 0;
    return SUCCESS;
}
int cuFuncSetAttribute(Function *f, int attribute, int value) {
    if (attribute == 8 && value > MOST_SHARED) return fail(INVALID_VALUE, f->name, "too much shared memory");
    if (attribute == 8) f->shared = value;
    return SUCCESS;
}
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, Function *f, int threads, size_t shared) {
    *blocks = 2048 / threads;
    return SUCCESS;
}
int cuOccupancyMaxPotentialBlockSize(int *grid, int *block, Function *f, void *sizes, size_t shared, int limit) {
    *grid = 2 * PROCESSORS;
    *block = THREADS;
    return SUCCESS;
}

// ---- the runtime: the device ----

const char *runtime_GetErrorName(int status) {
    static char name[32];
    if (status == OUT_OF_MEMORY) return "cudaErrorMemoryAllocation";
    snprintf(name, sizeof name, "cudaError %d", status);
    return name;
}
const char *runtime_GetErrorString(int status) { return status == OUT_OF_MEMORY ? "out of memory" : error; }
int runtime_GetLastError() { return SUCCESS; }
int cudaRuntimeGetVersion(int *version) { *version = 13000; return SUCCESS; }  // CuPy looks this one up in a library
int runtime_RuntimeGetVersion(int *version) { return cudaRuntimeGetVersion(version); }
int runtime_DriverGetVersion(int *version) { return cudaRuntimeGetVersion(version); }
int runtime_GetDeviceCount(int *count) { *count = 1; return SUCCESS; }
int runtime_GetDevice(int *device) { *device = 0; return SUCCESS; }
int runtime_SetDevice(int device) { return device ? fail(INVALID_DEVICE, "device", "there is one") : SUCCESS; }
int runtime_DeviceSynchronize() { return SUCCESS; }
int runtime_DeviceCanAccessPeer(int *can, int a, int b) { *can = 0; return SUCCESS; }
int runtime_DeviceGetPCIBusId(char *id, int n, int device) { snprintf(id, n, "0000:00:00.0"); return SUCCESS; }
int runtime_DeviceGetAttribute(int *value, int attribute, int device) {
    static const int known[][2] = {{1, THREADS}, {5, 2147483647}, {8, SHARED}, {10, 32}, {16, PROCESSORS}, {39, 2048},
                                   {75, 9}, {76, 0}, {97, MOST_SHARED}, {115, 1}};
    *value = 65535;
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (known[i][0] == attribute) *value = known[i][1];
    return SUCCESS;
}
int runtime_GetDeviceProperties(char *p, int device) {  // the fields of CUDA 13's cudaDeviceProp that are read
    struct { int at; size_t value; char size; } fields[] = {
        {288, MEMORY, 8}, {296, SHARED, 8}, {304, 65536, 4}, {308, 32, 4}, {320, THREADS, 4}, {324, THREADS, 4},
        {328, THREADS, 4}, {332, 64, 4}, {336, 2147483647, 4}, {340, 65535, 4}, {344, 65535, 4}, {360, 9, 4},
        {384, PROCESSORS, 4}, {596, 50 << 20, 4}, {604, 2048, 4}, {624, 228 << 10, 8}, {672, MOST_SHARED, 8}};
    memset(p, 0, 1008);
    strcpy(p, "a CPU");
    for (size_t i = 0; i < sizeof fields / sizeof *fields; ++i) memcpy(p + fields[i].at, &fields[i].value, fields[i].size);
    return SUCCESS;
}
int runtime_ProfilerStart() { return SUCCESS; }
int runtime_ProfilerStop() { return SUCCESS; }

// ---- memory ----

int runtime_MemGetInfo(size_t *available, size_t *total) { *available = MEMORY - used; *total = MEMORY; return SUCCESS; }
int runtime_Malloc(void **place, size_t n) {
    if (n > MEMORY - used) return OUT_OF_MEMORY;
    size_t *block = aligned_alloc(512, (n + 1023) / 512 * 512);  // its size lies before it
    if (!block) return OUT_OF_MEMORY;
    *block = n;
    used += n;
    *place = memset((char *)block + 512, 0xff, n);
    return SUCCESS;
}
int runtime_Free(void *place) {
    if (!place) return SUCCESS;
    size_t *block = (size_t *)((char *)place - 512);
    used -= *block;
    free(block);
    return SUCCESS;
}
int runtime_MallocAsync(void **place, size_t n, void *stream) { return runtime_Malloc(place, n); }
int runtime_FreeAsync(void *place, void *stream) { return runtime_Free(place); }
int runtime_HostAlloc(void **place, size_t n, unsigned flags) {
    *place = malloc(n);
    return *place ? SUCCESS : OUT_OF_MEMORY;
}
int runtime_FreeHost(void *place) { free(place); return SUCCESS; }
int runtime_HostRegister(void *place, size_t n, unsigned flags) { return SUCCESS; }
int runtime_HostUnregister(void *place) { return SUCCESS; }
int runtime_PointerGetAttributes(void *attributes, const void *place) {
    struct { int type, device; const void *on_device, *on_host; } found = {2, 0, place, NULL};
    memcpy(attributes, &found, sizeof found);
    return SUCCESS;
}

int runtime_MemcpyAsync(void *to, const void *from, size_t n, int kind, void *stream) {
    crossings += kind == TO_DEVICE || kind == TO_HOST;
    if (recording && stream == recorded) {
        Node *node = record(COPY);
        node->to = to, node->from = from, node->n = n;
    } else {
        memmove(to, from, n);
    }
    return SUCCESS;
}
int runtime_Memcpy(void *to, const void *from, size_t n, int kind) { return runtime_MemcpyAsync(to, from, n, kind, NULL); }
int runtime_MemsetAsync(void *to, int value, size_t n, void *stream) {
    if (recording && stream == recorded) {
        Node *node = record(FILL);
        node->to = to, node->value = value, node->n = n;
    } else {
        memset(to, value, n);
    }
    return SUCCESS;
}
int runtime_Memset(void *to, int value, size_t n) { return runtime_MemsetAsync(to, value, n, NULL); }

// ---- streams, events, graphs ----

static int handle(void **made) { *made = malloc(1); return SUCCESS; }
int runtime_StreamCreate(void **stream) { return handle(stream); }
int runtime_StreamCreateWithFlags(void **stream, unsigned flags) { return handle(stream); }
int runtime_StreamCreateWithPriority(void **stream, unsigned flags, int priority) { return handle(stream); }
int runtime_StreamDestroy(void *stream) { return SUCCESS; }
int runtime_StreamGetFlags(void *stream, unsigned *flags) { *flags = 1; return SUCCESS; }
int runtime_StreamGetPriority(void *stream, int *priority) { *priority = 0; return SUCCESS; }
int runtime_StreamQuery(void *stream) { return SUCCESS; }
int runtime_StreamWaitEvent(void *stream, void *event, unsigned flags) { return SUCCESS; }
int runtime_StreamSynchronize(void *stream) {
    return recording && stream == recorded ? fail(CAPTURE_UNSUPPORTED, "synchronize", "in a capture") : SUCCESS;
}
int runtime_LaunchHostFunc(void *stream, void (*function)(void *), void *data) { function(data); return SUCCESS; }
int runtime_EventCreate(void **event) { return handle(event); }
int runtime_EventCreateWithFlags(void **event, unsigned flags) { return handle(event); }
int runtime_EventDestroy(void *event) { return SUCCESS; }
int runtime_EventRecord(void *event, void *stream) { return SUCCESS; }
int runtime_EventQuery(void *event) { return SUCCESS; }
int runtime_EventSynchronize(void *event) { return SUCCESS; }
int runtime_EventElapsedTime(float *ms, void *start, void *end) { *ms = 1; return SUCCESS; }

int runtime_StreamBeginCapture(void *stream, int mode) {
    recorded = stream;
    recording = calloc(1, sizeof *recording);
    recording->end = &recording->first;
    return SUCCESS;
}
int runtime_StreamEndCapture(void *stream, Graph **graph) {
    *graph = recording;
    recording = NULL;
    return SUCCESS;
}
int runtime_StreamIsCapturing(void *stream, int *status) {
    *status = recording && stream == recorded;
    return SUCCESS;
}
int runtime_GraphInstantiate(Graph **made, Graph *graph, unsigned long long flags) { *made = graph; return SUCCESS; }
int runtime_GraphUpload(Graph *graph, void *stream) { return SUCCESS; }
int runtime_GraphDestroy(Graph *graph) { return SUCCESS; }
int runtime_GraphExecDestroy(Graph *graph) { return SUCCESS; }
int runtime_GraphLaunch(Graph *graph, void *stream) {
    for (Node *node = graph->first; node; node = node->next) {
        const char *why = NULL;
        if (node->what == LAUNCH) why = node->function->run(node->sizes, node->args, node->shared, ORDER);
        else if (node->what == COPY) memmove(node->to, node->from, node->n);
        else if (node->what == FILL) memset(node->to, node->value, node->n);
        else call(node->number);
        if (why) return fail(LAUNCH_FAILED, node->function->name, why);
    }
    return SUCCESS;
}
