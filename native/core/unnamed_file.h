#pragma once

#include <string>

namespace polydomain {

// Opens a file in `folder` that has no name, so that nothing is left of it once it is closed, after
// a crash neither. `prefix` names it for the moment until it has none. -1 and errno where it
// cannot.
int openUnnamed(const std::string& folder, const std::string& prefix);

}  // namespace polydomain
