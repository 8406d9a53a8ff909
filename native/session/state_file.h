#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace polydomain {

// A binary file that exists whole or not at all: written beside its place, flushed to the disk,
// then renamed; a checksum at its end tells a truncated or altered one.
class StateFileWriter {
 public:
  explicit StateFileWriter(const std::string& path);  // Error(kCheckpoint) when it cannot be made
  ~StateFileWriter();                                 // removes what was not committed
  StateFileWriter(const StateFileWriter&) = delete;
  StateFileWriter& operator=(const StateFileWriter&) = delete;
  void write(const void* data, size_t bytes);
  void commit();

 private:
  [[noreturn]] void fail(const char* what);
  void flushBlock();
  std::string path_, temporary_;
  std::FILE* file_ = nullptr;
  std::vector<char> block_;
  uint64_t hash_;
};

class StateFileReader {
 public:
  explicit StateFileReader(const std::string& path);  // verifies the checksum first
  ~StateFileReader();
  StateFileReader(const StateFileReader&) = delete;
  StateFileReader& operator=(const StateFileReader&) = delete;
  void read(void* data, size_t bytes);
  void finish();  // Error(kCheckpoint) when anything is left

 private:
  [[noreturn]] void fail(const std::string& what);
  std::string path_;
  std::FILE* file_ = nullptr;
  int64_t left_ = 0;  // bytes before the checksum
};

}  // namespace polydomain
