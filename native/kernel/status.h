// What every function of the kernel returns. The kernel never prints, never aborts and lets no exception out.
#pragma once

namespace vigil {

enum class Status : int {
    ok = 0,
    bad_argument = 1,   // a shape, a size or a number out of range
    out_of_memory = 2,
    not_a_number = 3,   // luminance that is not a number, or outside 0 to 255
    truncated = 4,      // the file is shorter than it says
    wrong_magic = 5,    // not a file of ours
    wrong_version = 6,
    wrong_checksum = 7,
    corrupt = 8,        // counts, offsets or positions that cannot be
    unreachable = 9,    // a stored code that its own index does not find
    too_large = 10,
};

}  // namespace vigil
