#include "cpu.h"

namespace vigil {

bool has_isa(Isa isa) {
    if (isa == Isa::portable) return true;
#if defined(VIGIL_X86)
    if (isa == Isa::avx2) {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") &&
               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    }
#endif
#if defined(VIGIL_NEON)
    if (isa == Isa::neon) return true;
#endif
    return false;
}

Isa best_isa() {
    static const Isa best = has_isa(Isa::avx2) ? Isa::avx2 : has_isa(Isa::neon) ? Isa::neon : Isa::portable;
    return best;
}

}  // namespace vigil
