// What the core asks of NVIDIA's driver, where there is none.

extern "C" __attribute__((visibility("default"))) int cuDriverGetVersion(int* version) {
  *version = 13010;
  return 0;
}
