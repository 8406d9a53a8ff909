// The run-time choice of SIMD level. Highway is used as headers alone, so the functions that its
// headers declare and leave open are defined here, with POLYDOMAIN_SIMD taken into account.

#include "simd.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "hwy/highway.h"
#include "polydomain/error.h"

namespace polydomain::cpu {

namespace {

struct Level {
  const char* name;
  int64_t target;
  bool supported;
};

std::vector<Level> levels() {
#if HWY_ARCH_X86
  __builtin_cpu_init();
  const bool sse4 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("aes") &&
                    __builtin_cpu_supports("pclmul");
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("f16c");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd");
  return {{"avx512", HWY_AVX3, avx512},
          {"avx2", HWY_AVX2, avx2},
          {"sse4", HWY_SSE4, sse4},
          {"scalar", HWY_SCALAR, true}};
#elif HWY_ARCH_ARM_A64
  return {{"neon", HWY_NEON, true}};
#else
  return {{"scalar", HWY_STATIC_TARGET, true}};
#endif
}

struct Choice {
  std::string name;
  int64_t targets;  // this level and those below it
};

Choice choose() {
  const char* forced = std::getenv("POLYDOMAIN_SIMD");
  const std::string wanted = forced == nullptr ? "" : forced;
  Choice choice{"", 0};
  std::string known;
  for (const Level& level : levels()) {
    if (!level.supported) continue;
    known += (known.empty() ? "" : ", ") + std::string(level.name);
    if (choice.name.empty() && (wanted.empty() || wanted == level.name)) choice.name = level.name;
    if (!choice.name.empty()) choice.targets |= level.target;
  }
  if (choice.name.empty()) {
    throw Error(ErrorKind::kDevice,
                "POLYDOMAIN_SIMD: '" + wanted + "'; this machine supports " + known);
  }
  return choice;
}

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

std::vector<std::string> supportedSimdLevels() {
  std::vector<std::string> names;
  for (const Level& level : levels()) {
    if (level.supported) names.emplace_back(level.name);
  }
  return names;
}

const std::string& simdLevel() { return chosen().name; }

}  // namespace polydomain::cpu

namespace hwy {

int64_t SupportedTargets() { return polydomain::cpu::chosen().targets | HWY_STATIC_TARGET; }

ChosenTarget& GetChosenTarget() {
  static ChosenTarget target;
  return target;
}

HWY_NORETURN void Abort(const char* file, int line, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::fprintf(stderr, "%s:%d: ", file, line);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::abort();
}

}  // namespace hwy
