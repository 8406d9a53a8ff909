// All state that a resumed run needs, to a file and back.

#include "polydomain/random.h"
#include "session_impl.h"
#include "space/serialize.h"
#include "state_file.h"

namespace polydomain {

namespace {

// Of a parameter's name and shape.
uint64_t signatureOf(const ParameterSpec& spec) {
  return streamOf(spec.name + toString(spec.shape));
}

}  // namespace

void Session::Impl::save(const std::string& path) {
  const Lease lease(*this);
  StateFileWriter file(path);
  const ParameterSpace::Write write = [&](const void* data, size_t bytes) {
    file.write(data, bytes);
  };
  writeLayout(write);
  const int64_t steps = steps_;
  write(&steps, sizeof(steps));
  writeValue(write, batch_.sharedSlot());
  space_->save(write);
  for (const auto& optimizer : optimizers_) optimizer->save(write);
  const auto marks = static_cast<int64_t>(marks_.size());
  write(&marks, sizeof(marks));
  for (const auto& [id, mark] : marks_) {
    write(&id, sizeof(id));
    write(&mark, sizeof(mark));
  }
  writeValue(write, static_cast<int64_t>(buffers_.size()));
  for (const auto& [id, buffer] : buffers_) {
    writeValue(write, id);
    buffer->save(write);
  }
  file.commit();
}

void Session::Impl::load(const std::string& path) {
  const Lease lease(*this);
  StateFileReader file(path);
  const ParameterSpace::Read read = [&](void* data, size_t bytes) { file.read(data, bytes); };
  // Nothing is taken from a file before all of it is known to fit.
  requireLayout(read);
  int64_t steps = 0, marks = 0;
  read(&steps, sizeof(steps));
  const auto sharedSlot = readValue<int32_t>(read);
  space_->load(read);
  for (const auto& optimizer : optimizers_) optimizer->load(read);
  read(&marks, sizeof(marks));
  marks_.clear();
  for (int64_t i = 0; i < marks; ++i) {
    int32_t id = 0;
    MarkId mark = 0;
    read(&id, sizeof(id));
    read(&mark, sizeof(mark));
    marks_[id] = mark;
  }
  buffers_.clear();
  for (auto left = readValue<int64_t>(read); left > 0; --left) {
    auto& buffer = buffers_[readValue<int32_t>(read)];
    buffer = std::make_unique<GradientBuffer>(*space_);
    buffer->load(*space_, read);
  }
  file.finish();
  steps_ = steps;
  batch_.shareSlot(sharedSlot);
}

void Session::Impl::writeLayout(const ParameterSpace::Write& write) const {
  writeValue(write, static_cast<int64_t>(space_->parameterCount()));
  for (int p = 0; p < space_->parameterCount(); ++p)
    writeValue(write, signatureOf(space_->parameter(p)));
  writeValue(write, static_cast<int64_t>(space_->regionCount()));
  for (int r = 0; r < space_->regionCount(); ++r) {
    writeValue(write, space_->unitCount(r));
    writeValue(write, space_->unitSize(r));
  }
  writeValue(write, static_cast<int64_t>(optimizers_.size()));
  for (const auto& optimizer : optimizers_) {
    writeValue(write, static_cast<int64_t>(optimizer->spec().kind));
    writeValue(write, static_cast<int64_t>(optimizer->spec().stateCount()));
    writeValue(write, static_cast<int64_t>(optimizer->spec().rows));
  }
}

void Session::Impl::requireLayout(const ParameterSpace::Read& read) const {
  const auto require = [&](int64_t expected, const char* what) {
    requireEqual(readValue<int64_t>(read), expected, what);
  };
  require(space_->parameterCount(), "parameters");
  for (int p = 0; p < space_->parameterCount(); ++p) {
    if (readValue<uint64_t>(read) == signatureOf(space_->parameter(p))) continue;
    throw Error(ErrorKind::kCheckpoint, "the checkpoint has another parameter in place of '" +
                                            space_->parameter(p).name + "' " +
                                            toString(space_->parameter(p).shape));
  }
  require(space_->regionCount(), "regions");
  for (int r = 0; r < space_->regionCount(); ++r) {
    require(space_->unitCount(r), "units of a region");
    require(space_->unitSize(r), "values of a unit");
  }
  require(static_cast<int64_t>(optimizers_.size()), "optimizers");
  for (const auto& optimizer : optimizers_) {
    require(static_cast<int64_t>(optimizer->spec().kind), "as its optimizer's kind");
    require(optimizer->spec().stateCount(), "state values per weight");
    require(static_cast<int64_t>(optimizer->spec().rows), "as how its optimizer's rows step");
  }
}

}  // namespace polydomain
