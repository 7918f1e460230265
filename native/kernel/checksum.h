// XXH64 (Yann Collet's xxHash specification, version 0.1.1): finds accidents, not attackers; editions are signed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil {

std::uint64_t checksum(const void* data, std::size_t size, std::uint64_t seed = 0);

}  // namespace vigil
