#include "state_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "polydomain/error.h"

namespace polydomain {

namespace {

constexpr std::array<char, 8> kMagic = {'p', 'o', 'l', 'y', 'd', 's', '0', '2'};
constexpr size_t kBlockBytes = 1 << 20;  // what is hashed and written at a time
constexpr uint64_t kHashStart = 14695981039346656037ull;

// FNV-1a over 8-byte words: detects damage, does not defend against intent.
uint64_t hashOf(uint64_t hash, const void* data, size_t bytes) {
  const auto* from = static_cast<const unsigned char*>(data);
  constexpr uint64_t kPrime = 1099511628211ull;
  for (; bytes >= 8; bytes -= 8, from += 8) {
    uint64_t word;
    std::memcpy(&word, from, 8);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 29;
  }
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ from[i]) * kPrime;
  return hash;
}

}  // namespace

StateFileWriter::StateFileWriter(const std::string& path)
    : path_(path), temporary_(path + ".writing"), hash_(kHashStart) {
  file_ = std::fopen(temporary_.c_str(), "wb");
  if (file_ == nullptr) fail("cannot be created");
  if (std::fwrite(kMagic.data(), 1, kMagic.size(), file_) != kMagic.size()) {
    fail("cannot be written");
  }
}

StateFileWriter::~StateFileWriter() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  ::unlink(temporary_.c_str());
}

void StateFileWriter::fail(const char* what) {
  throw Error(ErrorKind::kCheckpoint, "checkpoint '" + temporary_ + "' " + what + ": " +
                                          std::strerror(errno) +
                                          "; the previous checkpoint is untouched");
}

void StateFileWriter::write(const void* data, size_t bytes) {
  const auto* from = static_cast<const char*>(data);
  while (bytes > 0) {
    const size_t part = std::min(bytes, kBlockBytes - block_.size());
    block_.insert(block_.end(), from, from + part);
    from += part;
    bytes -= part;
    if (block_.size() == kBlockBytes) flushBlock();
  }
}

void StateFileWriter::flushBlock() {
  hash_ = hashOf(hash_, block_.data(), block_.size());
  if (std::fwrite(block_.data(), 1, block_.size(), file_) != block_.size()) {
    fail("cannot be written");
  }
  block_.clear();
}

void StateFileWriter::commit() {
  flushBlock();
  if (std::fwrite(&hash_, 1, sizeof(hash_), file_) != sizeof(hash_) || std::fflush(file_) != 0 ||
      ::fsync(::fileno(file_)) != 0) {
    fail("cannot be written");
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail("cannot be renamed");
  std::fclose(file_);
  file_ = nullptr;
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  // The rename itself lasts once the folder is on the disk.
  const int descriptor = ::open(folder.c_str(), O_RDONLY);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

StateFileReader::StateFileReader(const std::string& path) : path_(path) {
  file_ = std::fopen(path.c_str(), "rb");
  if (file_ == nullptr) fail(std::string("cannot be opened: ") + std::strerror(errno));
  std::fseek(file_, 0, SEEK_END);
  const auto size = static_cast<int64_t>(std::ftell(file_));
  std::rewind(file_);
  std::array<char, 8> magic{};
  left_ = size - static_cast<int64_t>(magic.size() + sizeof(uint64_t));
  const bool ours = left_ >= 0 &&
                    std::fread(magic.data(), 1, magic.size(), file_) == magic.size() &&
                    magic == kMagic;
  if (!ours) fail("is not one of polydomain's");
  // Verified before anything is taken from it.
  std::vector<char> block(kBlockBytes);
  uint64_t hash = kHashStart, expected = 0;
  for (int64_t left = left_; left > 0;) {
    const auto bytes = static_cast<size_t>(std::min<int64_t>(left, kBlockBytes));
    if (std::fread(block.data(), 1, bytes, file_) != bytes) fail("cannot be read");
    hash = hashOf(hash, block.data(), bytes);
    left -= static_cast<int64_t>(bytes);
  }
  if (std::fread(&expected, 1, sizeof(expected), file_) != sizeof(expected) || hash != expected) {
    fail("is truncated or damaged");
  }
  std::fseek(file_, static_cast<long>(magic.size()), SEEK_SET);
}

StateFileReader::~StateFileReader() {
  if (file_ != nullptr) std::fclose(file_);
}

void StateFileReader::fail(const std::string& what) {
  if (file_ != nullptr) std::fclose(file_);
  file_ = nullptr;
  throw Error(ErrorKind::kCheckpoint,
              "checkpoint '" + path_ + "' " + what + "; expected a file that a run has saved");
}

void StateFileReader::read(void* data, size_t bytes) {
  if (static_cast<int64_t>(bytes) > left_) fail("is truncated");
  if (bytes > 0 && std::fread(data, 1, bytes, file_) != bytes) fail("cannot be read");
  left_ -= static_cast<int64_t>(bytes);
}

void StateFileReader::finish() {
  if (left_ != 0) fail("has " + std::to_string(left_) + " bytes too many");
}

}  // namespace polydomain
