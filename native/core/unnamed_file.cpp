#include "unnamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace polydomain {

int openUnnamed(const std::string& folder, const std::string& prefix) {
  std::string path = folder + "/" + prefix + "-XXXXXX";
  const int file = ::mkostemp(path.data(), O_CLOEXEC);
  if (file >= 0) ::unlink(path.c_str());
  return file;
}

}  // namespace polydomain
