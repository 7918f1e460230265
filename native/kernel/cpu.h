// Which instructions this processor has. The build stays at the baseline of its architecture; faster paths are
// compiled beside the portable one and chosen when the program runs.
#pragma once

#if defined(__x86_64__)
#define VIGIL_X86 1
#define VIGIL_TARGET_AVX2 __attribute__((target("avx2,popcnt,bmi,bmi2,lzcnt")))
#endif
#if defined(__ARM_NEON) && defined(__aarch64__)
#define VIGIL_NEON 1
#endif
#define VIGIL_INLINE inline __attribute__((always_inline))

namespace vigil {

enum class Isa : int { portable = 0, avx2 = 1, neon = 2 };

// The best path of this processor.
Isa best_isa();
// Whether this processor can run that path.
bool has_isa(Isa isa);

}  // namespace vigil
