// Arrays put one after the other in one launch. ARRAYS, the most that one takes, and BYTES, the size of an element, are
// macros. Addresses come by value with the launch, as optim.cu's do: a captured graph keeps them.

struct Table {
    u64 from[ARRAYS];
    i64 width[ARRAYS], start[ARRAYS];  // of an array's part of a row of the result
};

#if BYTES == 1
typedef unsigned char Item;
#elif BYTES == 2
typedef unsigned short Item;
#elif BYTES == 4
typedef unsigned int Item;
#else
typedef u64 Item;
#endif

extern "C" __global__ void join(const __grid_constant__ Table table, void* result, i64 rows, i64 row) {
    const Item* from = reinterpret_cast<const Item*>(table.from[blockIdx.y]);
    Item* to = static_cast<Item*>(result) + table.start[blockIdx.y];
    i64 width = table.width[blockIdx.y], n = rows * width;
    for (i64 i = first_index(); i < n; i += grid_size()) {
        i64 skipped = rows == 1 ? 0 : i / width * (row - width);
        to[i + skipped] = from[i];
    }
}
