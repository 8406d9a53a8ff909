#include "polydomain/session.h"

#include <algorithm>

#include "session_impl.h"

namespace polydomain {

Session::Impl::Impl(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool,
                    Options options)
    : space_(std::move(space)),
      pool_(std::move(pool)),
      options_(options),
      allTrainable_(std::ranges::count(space_->trainable(), false) == 0),
      order_(options.batchSize, options.seed),
      stepGradient_(*space_),
      batch_(options.classWeights) {
  if (options_.batchSize < 1) {
    throw Error(ErrorKind::kConfig, "batchSize: " + std::to_string(options_.batchSize) +
                                        "; expected an integer of 1 at least");
  }
  space_->useThreads(pool_);
  if (options_.device) mirror_ = std::make_unique<DeviceSpace>(options_.device, *space_, pool_);
}

// What a session leaves open would be journalled for ever.
Session::Impl::~Impl() {
  std::vector<MarkId> open;
  for (const auto& [id, mark] : marks_) open.push_back(mark);
  // Oldest first: nothing is left then to take over what they saved.
  std::sort(open.begin(), open.end());
  for (const MarkId mark : open) space_->release(mark);
}

int Session::Impl::addSplit(SplitData split) {
  splits_.push_back(std::move(split));
  return static_cast<int>(splits_.size()) - 1;
}

int Session::Impl::addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state) {
  if (mirror_ && spec.rows == RowSteps::kDense) {
    throw Error(ErrorKind::kDevice,
                "an optimizer with rows 'dense' has no CUDA kernel; expected rows 'lazy', or "
                "device 'cpu'");
  }
  if (!state) {
    state = std::make_shared<OptimizerState>(*space_, spec);
  } else if (!state->goesOn(spec)) {
    throw Error(ErrorKind::kConfig,
                "an optimizer cannot go on from the state of another kind; expected the same");
  }
  state->spec() = spec;
  optimizers_.push_back(std::move(state));
  return static_cast<int>(optimizers_.size()) - 1;
}

int Session::Impl::addSelection(Selection selection) {
  selections_.push_back(std::move(selection));
  return static_cast<int>(selections_.size()) - 1;
}

int Session::Impl::addProgram(const Graph& graph, ProgramOptions options, Mode mode) {
  options.mode = mode;
  options.device = mirror_.get();
  StepProgram step{mode, {graph, *space_, options}, {}};
  if (mode == Mode::kTrain && (clips() || step.direct.readsSlot())) {
    options.mode = Mode::kGradient;
    step.gradient.emplace(graph, *space_, std::move(options));
  }
  programs_.push_back(std::move(step));
  return static_cast<int>(programs_.size()) - 1;
}

void Session::Impl::setEvaluationProgram(const Graph& graph, ProgramOptions options) {
  options.mode = Mode::kEvaluate;
  options.device = mirror_.get();
  checkedPrograms_ = 0;
  evaluation_.emplace(graph, *space_, std::move(options));
}

void Session::Impl::checkSplits() {
  const size_t programs = programs_.size() + (evaluation_ ? 1 : 0);
  if (checkedSplits_ == splits_.size() && checkedPrograms_ == programs) return;
  for (const SplitData& split : splits_) {
    for (const StepProgram& step : programs_) step.direct.check(split);
    if (evaluation_) evaluation_->check(split);
  }
  checkedSplits_ = splits_.size();
  checkedPrograms_ = programs;
}

Session::Session(std::shared_ptr<ParameterSpace> space, std::shared_ptr<ThreadPool> pool,
                 Options options)
    : impl_(std::make_unique<Impl>(std::move(space), std::move(pool), options)) {}
Session::~Session() = default;
int Session::addSplit(SplitData split) { return impl_->addSplit(std::move(split)); }
int Session::addOptimizer(OptimizerSpec spec, std::shared_ptr<OptimizerState> state) {
  return impl_->addOptimizer(spec, std::move(state));
}
std::shared_ptr<OptimizerState> Session::optimizer(int index) { return impl_->optimizer(index); }
int Session::addSelection(Selection selection) { return impl_->addSelection(std::move(selection)); }
int Session::addTrainingProgram(const Graph& graph, ProgramOptions options) {
  return impl_->addProgram(graph, std::move(options), Mode::kTrain);
}
int Session::addGradientProgram(const Graph& graph, ProgramOptions options) {
  return impl_->addProgram(graph, std::move(options), Mode::kGradient);
}
void Session::setEvaluationProgram(const Graph& graph, ProgramOptions options) {
  impl_->setEvaluationProgram(graph, std::move(options));
}
void Session::startProfile() { impl_->startProfile(); }
const Profile* Session::profile() const { return impl_->profile(); }
RunOutcome Session::run(const std::vector<Command>& commands,
                        const std::vector<std::vector<int32_t>>& orders) {
  return impl_->run(commands, orders);
}
void Session::cancel() { impl_->cancel(); }
int64_t Session::stepsDone() const { return impl_->stepsDone(); }
bool Session::leased() const { return impl_->leased(); }
std::vector<float> Session::scores(int split, int32_t domain, OverlayId overlay) {
  return impl_->scores(split, domain, overlay);
}
void Session::settle() { impl_->settle(); }
void Session::save(const std::string& path) const { impl_->save(path); }
void Session::load(const std::string& path) { impl_->load(path); }

}  // namespace polydomain
