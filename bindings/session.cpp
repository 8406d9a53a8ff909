#include "polydomain/session.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <map>

#include "objects.h"
#include "task.h"

namespace polydomain {

namespace {

const std::map<std::string, CommandKind>& commandKinds() {
  static const std::map<std::string, CommandKind> kinds = [] {
    std::map<std::string, CommandKind> byName;
    for (int kind = 0; kind <= static_cast<int>(CommandKind::kBroadcast); ++kind) {
      byName[nameOf(static_cast<CommandKind>(kind))] = static_cast<CommandKind>(kind);
    }
    return byName;
  }();
  return kinds;
}

Command toCommand(const Napi::Object& object, std::vector<std::vector<int32_t>>& orders) {
  const std::string name = object.Get("kind").As<Napi::String>();
  const auto kind = commandKinds().find(name);
  if (kind == commandKinds().end()) {
    throw Error(ErrorKind::kConfig, "unknown command '" + name + "'");
  }
  Command command{};
  command.kind = kind->second;
  const auto integer = [&](const char* key, int64_t fallback) {
    return static_cast<int64_t>(numberAt(object, key, static_cast<double>(fallback)));
  };
  command.target = static_cast<int32_t>(integer("target", -1));
  command.other = static_cast<int32_t>(integer("other", -1));
  command.domain = static_cast<int32_t>(integer("domain", -1));
  command.split = static_cast<int32_t>(integer("split", 0));
  command.overlay = static_cast<int32_t>(integer("overlay", -1));
  command.optimizer = static_cast<int32_t>(integer("optimizer", 0));
  command.program = static_cast<int32_t>(integer("program", 0));
  command.selection = static_cast<int32_t>(integer("selection", -1));
  command.order = -1;
  command.pass = integer("pass", 0);
  command.mixed = object.Get("mixed").ToBoolean();
  command.untrained = object.Get("untrained").ToBoolean();
  command.blocks = object.Get("blocks").ToBoolean();
  command.byRows = object.Get("byRows").ToBoolean();
  command.rowsPerDomain = integer("rowsPerDomain", 0);
  command.shortest = object.Get("shortest").ToBoolean();
  if (object.Get("clip").IsBoolean()) command.clip = object.Get("clip").ToBoolean();
  command.shareFrom = numberAt(object, "shareFrom", 0.0);
  command.shareTo = numberAt(object, "shareTo", 1.0);
  command.maxSteps = integer("maxSteps", 0);
  const Napi::Value resumed = object.Get("resumed");
  if (resumed.IsObject()) {
    const auto from = resumed.As<Napi::Object>();
    command.resumed.step = static_cast<int64_t>(numberAt(from, "step", 0.0));
    command.resumed.lossSum = numberAt(from, "lossSum", 0.0);
    command.resumed.rows = static_cast<int64_t>(numberAt(from, "rows", 0.0));
  }
  command.passes = integer("passes", 0);
  command.patience = integer("patience", 0);
  command.rate = numberAt(object, "rate", 0.0);
  const Napi::Value order = object.Get("order");
  if (order.IsTypedArray()) {
    const auto rows = order.As<Napi::Int32Array>();
    command.order = static_cast<int32_t>(orders.size());
    orders.emplace_back(rows.Data(), rows.Data() + rows.ElementLength());
  }
  return command;
}

struct TimedOutcome {
  RunOutcome outcome;
  double seconds = 0;
};

Napi::Value fromOutcome(Napi::Env env, TimedOutcome& timed) {
  const RunOutcome& outcome = timed.outcome;
  const size_t count = outcome.results.size();
  Napi::Float64Array loss = Napi::Float64Array::New(env, count);
  Napi::Float64Array auc = Napi::Float64Array::New(env, count);
  Napi::Float64Array rows = Napi::Float64Array::New(env, count);
  Napi::Float64Array steps = Napi::Float64Array::New(env, count);
  Napi::Float64Array value = Napi::Float64Array::New(env, count);
  for (size_t i = 0; i < count; ++i) {
    loss[i] = outcome.results[i].loss;
    auc[i] = outcome.results[i].auc;
    rows[i] = static_cast<double>(outcome.results[i].rows);
    steps[i] = static_cast<double>(outcome.results[i].steps);
    value[i] = outcome.results[i].value;
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("completed", static_cast<double>(outcome.completed));
  Napi::Object interruption = Napi::Object::New(env);
  interruption.Set("step", static_cast<double>(outcome.interruption.step));
  interruption.Set("lossSum", outcome.interruption.lossSum);
  interruption.Set("rows", static_cast<double>(outcome.interruption.rows));
  object.Set("interruption", interruption);
  object.Set("loss", loss);
  object.Set("auc", auc);
  object.Set("rows", rows);
  object.Set("steps", steps);
  object.Set("value", value);
  object.Set("seconds", timed.seconds);
  return object;
}

// Tables of numbers, row after row: what each column is stands in ts/native/addon.ts.
Napi::Value fromProfile(Napi::Env env, const Profile& profile) {
  Napi::Array labels = Napi::Array::New(env, profile.labels().size());
  for (uint32_t i = 0; i < labels.Length(); ++i) labels.Set(i, profile.labels()[i]);
  std::vector<double> spans, totals, events;
  const auto add = [](std::vector<double>& table, std::initializer_list<int64_t> row) {
    for (const int64_t value : row) table.push_back(static_cast<double>(value));
  };
  for (size_t i = 0; i < profile.spans().size(); ++i) {
    const Profile::Span& span = profile.spans()[i];
    add(spans, {span.label, span.domain, span.overlay, span.commands, span.begin, span.end});
    for (const Profile::Total& total : span.totals) {
      add(totals, {static_cast<int64_t>(i), total.label, total.nanoseconds, total.calls});
    }
  }
  for (const Profile::Event& event : profile.events()) {
    add(events, {event.label, event.begin, event.end});
  }
  const auto toArray = [&](const std::vector<double>& table) {
    Napi::Float64Array array = Napi::Float64Array::New(env, table.size());
    std::copy(table.begin(), table.end(), array.Data());
    return array;
  };
  Napi::Object object = Napi::Object::New(env);
  object.Set("labels", labels);
  object.Set("spans", toArray(spans));
  object.Set("totals", toArray(totals));
  object.Set("events", toArray(events));
  return object;
}

}  // namespace

Napi::Function SessionObject::define(Napi::Env env) {
  return DefineClass(
      env, "Session",
      {InstanceMethod("addSplit", &SessionObject::addSplit),
       InstanceMethod("addOptimizer", &SessionObject::addOptimizer),
       InstanceMethod("optimizer", &SessionObject::optimizer),
       InstanceMethod("addSelection", &SessionObject::addSelection),
       InstanceMethod("addTrainingProgram", &SessionObject::addTrainingProgram),
       InstanceMethod("addGradientProgram", &SessionObject::addGradientProgram),
       InstanceMethod("setEvaluationProgram", &SessionObject::setEvaluationProgram),
       InstanceMethod("configureOverlays", &SessionObject::configureOverlays),
       InstanceMethod("limitOverlays", &SessionObject::limitOverlays),
       InstanceMethod("startProfile", &SessionObject::startProfile),
       InstanceMethod("profile", &SessionObject::profile),
       InstanceMethod("run", &SessionObject::run), InstanceMethod("scores", &SessionObject::scores),
       InstanceMethod("cancel", &SessionObject::cancel),
       InstanceMethod("save", &SessionObject::save), InstanceMethod("load", &SessionObject::load),
       InstanceMethod("dispose", &SessionObject::dispose)});
}

SessionObject::SessionObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<SessionObject>(info) {
  guarded(info.Env(), [&] {
    space_ = SpaceObject::Unwrap(info[0].As<Napi::Object>())->shared();
    const auto options = info[1].As<Napi::Object>();
    std::shared_ptr<ThreadPool> pool = info.Env().GetInstanceData<AddonData>()->pool;
    const auto threads = static_cast<int>(numberAt(options, "threads", 0));
    if (threads > 0) pool = std::make_shared<ThreadPool>(threads);
    Session::Options own;
    own.batchSize = static_cast<int64_t>(numberAt(options, "batchSize", 1024));
    own.seed = static_cast<uint64_t>(numberAt(options, "seed", 0));
    own.clipNorm = numberAt(options, "clipNorm", 0.0);
    if (options.Get("classWeights").IsArray()) {
      const auto weights = options.Get("classWeights").As<Napi::Array>();
      for (uint32_t label = 0; label < own.classWeights.size(); ++label) {
        own.classWeights[label] = weights.Get(label).As<Napi::Number>().FloatValue();
      }
    }
    if (options.Get("spillFolder").IsString()) {
      own.spillFolder = options.Get("spillFolder").As<Napi::String>();
    }
    const Napi::Value device = options.Get("device");
    if (device.IsString() && device.As<Napi::String>().Utf8Value() == "cuda") {
      own.device = Device::open();
    }
    if (options.Get("lease").ToBoolean()) {
      space_->beginTraining();
      leased_ = true;
    }
    // The session keeps the whole shared space alive.
    session_ = std::make_shared<Session>(std::shared_ptr<ParameterSpace>(space_, &space_->space),
                                         std::move(pool), own);
  });
}

SessionObject::~SessionObject() { endLease(); }

void SessionObject::endLease() {
  if (leased_) space_->endTraining();
  leased_ = false;
}

// The space is this session's during a task, or for its life when it has a lease.
std::function<void()> SessionObject::beginWork() {
  if (leased_) return [] {};
  space_->beginTraining();
  return [space = space_] { space->endTraining(); };
}

namespace {

// Ends with its scope.
class Work {
 public:
  explicit Work(std::function<void()> end) : end_(std::move(end)) {}
  ~Work() { end_(); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

 private:
  std::function<void()> end_;
};

}  // namespace

std::shared_ptr<Session> SessionObject::session() const {
  if (!session_) throw Error(ErrorKind::kBusy, "the session is disposed");
  if (session_->leased()) throw Error(ErrorKind::kBusy, "the session is at work");
  return session_;
}

namespace {

uint32_t lengthOf(const Napi::Value& array) {
  return array.IsArray() ? array.As<Napi::Array>().Length() : 0;
}

void requireAscending(const int32_t* offsets, int64_t rows) {
  const bool ascending = offsets[0] == 0 && std::is_sorted(offsets, offsets + rows + 1);
  if (ascending) return;
  throw Error(ErrorKind::kData, "split: a list column's offsets; expected 0 and ascending ones");
}

int64_t integerAt(const Napi::Object& object, const char* key, int64_t fallback = 0) {
  return static_cast<int64_t>(numberAt(object, key, static_cast<double>(fallback)));
}

std::shared_ptr<const RowFile> toRowFile(const Napi::Object& object, int64_t rows) {
  RowFile::Layout layout;
  layout.bytes = integerAt(object, "bytes");
  bool lossless = true;
  layout.modified = object.Get("modified").As<Napi::BigInt>().Int64Value(&lossless);
  layout.rows = rows;
  const auto forEach = [&](const char* key, const auto& add) {
    const auto columns = object.Get(key).As<Napi::Array>();
    for (uint32_t i = 0; i < columns.Length(); ++i) add(columns.Get(i).As<Napi::Object>());
  };
  forEach("ids", [&](const Napi::Object& own) {
    layout.ids.push_back({integerAt(own, "at"), static_cast<int32_t>(integerAt(own, "size"))});
  });
  forEach("numbers",
          [&](const Napi::Object& own) { layout.numbers.push_back(integerAt(own, "at")); });
  forEach("lists", [&](const Napi::Object& own) {
    layout.lists.push_back({integerAt(own, "offsets"), integerAt(own, "at"),
                            integerAt(own, "count"), static_cast<int32_t>(integerAt(own, "size"))});
  });
  layout.labels = integerAt(object, "labels");
  layout.weights = integerAt(object, "weights", -1);
  return std::make_shared<RowFile>(object.Get("path").As<Napi::String>(), std::move(layout));
}

void readOffsets(const Napi::Object& object, SplitData& split) {
  const auto offsets = object.Get("domainOffsets").As<Napi::Int32Array>();
  if (dtypeOf(offsets) != DType::kInt32) {
    throw Error(ErrorKind::kData, "split: domainOffsets; expected an Int32Array");
  }
  split.domainOffsets.assign(offsets.Data(), offsets.Data() + offsets.ElementLength());
}

}  // namespace

Napi::Value SessionObject::addSplit(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto object = info[0].As<Napi::Object>();
    SplitData split;
    split.rows = integerAt(object, "rows");
    readOffsets(object, split);
    const Napi::Value file = object.Get("file");
    if (file.IsObject()) {
      split.file = toRowFile(file.As<Napi::Object>(), split.rows);
      split.windowRows = integerAt(file.As<Napi::Object>(), "windowRows");
      return Napi::Number::New(info.Env(), session()->addSplit(std::move(split)));
    }
    const auto keep = [&](const Napi::Value& value, int64_t length, DType type, const char* what) {
      const auto array = value.As<Napi::TypedArray>();
      if (dtypeOf(array) != type || static_cast<int64_t>(array.ElementLength()) < length) {
        throw Error(ErrorKind::kData, std::string("split: ") + what + " has " +
                                          std::to_string(array.ElementLength()) +
                                          " values; expected " + std::to_string(length) + " of " +
                                          nameOf(type));
      }
      arrays_.push_back(Napi::Persistent(value.As<Napi::Object>()));
      return dataOf(array);
    };
    const auto ids = object.Get("ids").As<Napi::Array>();
    for (uint32_t i = 0; i < ids.Length(); ++i) {
      split.ids.push_back(
          static_cast<const int32_t*>(keep(ids.Get(i), split.rows, DType::kInt32, "an id column")));
    }
    const auto numbers = object.Get("numbers");
    for (uint32_t i = 0; i < lengthOf(numbers); ++i) {
      split.numbers.push_back(static_cast<const float*>(keep(
          numbers.As<Napi::Array>().Get(i), 2 * split.rows, DType::kFloat32, "a numeric column")));
    }
    const auto lists = object.Get("lists");
    for (uint32_t i = 0; i < lengthOf(lists); ++i) {
      const auto list = lists.As<Napi::Array>().Get(i).As<Napi::Object>();
      const auto* offsets = static_cast<const int32_t*>(
          keep(list.Get("offsets"), split.rows + 1, DType::kInt32, "a list column's offsets"));
      requireAscending(offsets, split.rows);
      split.lists.push_back(
          {offsets, static_cast<const int32_t*>(keep(list.Get("ids"), offsets[split.rows],
                                                     DType::kInt32, "a list column"))});
    }
    split.labels = static_cast<const float*>(
        keep(object.Get("labels"), split.rows, DType::kFloat32, "labels"));
    if (!object.Get("weights").IsUndefined()) {
      split.weights = static_cast<const float*>(
          keep(object.Get("weights"), split.rows, DType::kFloat32, "weights"));
    }
    return Napi::Number::New(info.Env(), session()->addSplit(std::move(split)));
  });
}

Napi::Value SessionObject::addOptimizer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    std::shared_ptr<OptimizerState> state;
    if (info[1].IsExternal()) state = toOptimizerState(info[1], *space_);
    return Napi::Number::New(
        info.Env(),
        session()->addOptimizer(toOptimizerSpec(info[0].As<Napi::Object>()), std::move(state)));
  });
}

Napi::Value SessionObject::optimizer(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto kept = std::make_unique<KeptOptimizer>();
    kept->space = space_;
    kept->state = session()->optimizer(info[0].As<Napi::Number>());
    return Napi::External<KeptOptimizer>::New(
        info.Env(), kept.release(),
        [](Napi::Env, KeptOptimizer* held) { const std::unique_ptr<KeptOptimizer> dropped(held); });
  });
}

Napi::Value SessionObject::addSelection(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Napi::Number::New(info.Env(),
                             session()->addSelection(space_->space.select(toStrings(info[0]))));
  });
}

namespace {

ProgramOptions toOptions(const Napi::CallbackInfo& info, const ParameterSpace& space) {
  ProgramOptions options;
  options.output = info[1].As<Napi::Number>();
  options.loss = info[2].As<Napi::Number>();
  if (info[3].IsArray()) options.trained = space.select(toStrings(info[3]));
  if (info[4].IsBoolean()) options.dropout = info[4].ToBoolean();
  return options;
}

const Graph& graphOf(const Napi::CallbackInfo& info) {
  return GraphObject::Unwrap(info[0].As<Napi::Object>())->graph();
}

}  // namespace

Napi::Value SessionObject::addTrainingProgram(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Napi::Number::New(
        info.Env(), session()->addTrainingProgram(graphOf(info), toOptions(info, space_->space)));
  });
}

Napi::Value SessionObject::addGradientProgram(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Napi::Number::New(
        info.Env(), session()->addGradientProgram(graphOf(info), toOptions(info, space_->space)));
  });
}

Napi::Value SessionObject::setEvaluationProgram(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session()->setEvaluationProgram(graphOf(info), toOptions(info, space_->space));
    return info.Env().Undefined();
  });
}

Napi::Value SessionObject::configureOverlays(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session();
    const Work work(beginWork());
    configureSpace(space_->space, info);
    return info.Env().Undefined();
  });
}

Napi::Value SessionObject::limitOverlays(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session();
    const Work work(beginWork());
    limitSpace(space_->space, info);
    return info.Env().Undefined();
  });
}

Napi::Value SessionObject::startProfile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    session()->startProfile();
    return info.Env().Undefined();
  });
}

Napi::Value SessionObject::profile(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::shared_ptr<Session> session = this->session();
    const Profile* profile = session->profile();
    return profile == nullptr ? info.Env().Undefined() : fromProfile(info.Env(), *profile);
  });
}

Napi::Value SessionObject::run(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Session> session = this->session();
    std::vector<std::vector<int32_t>> orders;
    std::vector<Command> commands;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      commands.push_back(toCommand(list.Get(i).As<Napi::Object>(), orders));
    }
    const auto done = beginWork();
    return Task<TimedOutcome>::start(
        info.Env(), info.This().As<Napi::Object>(),
        [session, space = space_, commands = std::move(commands), orders = std::move(orders)] {
          space->awaitStart();
          const auto begin = std::chrono::steady_clock::now();
          TimedOutcome timed{session->run(commands, orders), 0.0};
          const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
          timed.seconds = took.count();
          return timed;
        },
        fromOutcome, done);
  });
}

Napi::Value SessionObject::scores(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Session> session = this->session();
    const int split = info[0].As<Napi::Number>();
    const int32_t domain = info[1].As<Napi::Number>();
    const int32_t overlay = info[2].As<Napi::Number>();
    const auto done = beginWork();
    return Task<std::vector<float>>::start(
        info.Env(), info.This().As<Napi::Object>(),
        [session, space = space_, split, domain, overlay] {
          space->awaitStart();
          return session->scores(split, domain, overlay);
        },
        [](Napi::Env env, std::vector<float>& scores) -> Napi::Value {
          auto array = Napi::Float32Array::New(env, scores.size());
          std::copy(scores.begin(), scores.end(), array.Data());
          return array;
        },
        done);
  });
}

Napi::Value SessionObject::cancel(const Napi::CallbackInfo& info) {
  if (session_) session_->cancel();
  return info.Env().Undefined();
}

Napi::Value SessionObject::withFile(const Napi::CallbackInfo& info,
                                    void (*use)(Session& session, const std::string& path)) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<Session> session = this->session();
    const std::string path = info[0].As<Napi::String>();
    const auto done = beginWork();
    return Task<bool>::start(
        info.Env(), info.This().As<Napi::Object>(),
        [session, space = space_, path, use] {
          space->awaitStart();
          use(*session, path);
          return true;
        },
        [](Napi::Env env, bool&) { return env.Undefined(); }, done);
  });
}

Napi::Value SessionObject::save(const Napi::CallbackInfo& info) {
  return withFile(info, [](Session& session, const std::string& path) { session.save(path); });
}

Napi::Value SessionObject::load(const Napi::CallbackInfo& info) {
  return withFile(info, [](Session& session, const std::string& path) { session.load(path); });
}

Napi::Value SessionObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (session_) session()->settle();  // BusyError while it runs
    session_.reset();
    endLease();
    space_.reset();
    arrays_.clear();
    return info.Env().Undefined();
  });
}

}  // namespace polydomain
