#include <algorithm>

#include "objects.h"
#include "task.h"

namespace polydomain {

namespace {

// A thread costs more than as many weights.
constexpr int64_t kStartedAtOnce = int64_t{1} << 16;

int64_t weightsOf(const ParameterSpace& space) {
  int64_t count = 0;
  for (int region = 0; region < space.regionCount(); ++region) {
    count += space.unitCount(region) * space.unitSize(region);
  }
  return count;
}

}  // namespace

SharedSpace::SharedSpace(std::vector<ParameterSpec> parameters, uint64_t seed,
                         std::shared_ptr<ThreadPool> pool)
    : space(std::move(parameters), seed, ParameterSpace::StartLater{}) {
  const bool large = weightsOf(space) > kStartedAtOnce;
  start_ = std::async(large ? std::launch::async : std::launch::deferred,
                      [this, pool = std::move(pool)] { space.start(*pool); });
  if (!large) start_.get();
}

void SharedSpace::awaitStart() const { std::shared_future<void>(start_).get(); }

void SharedSpace::beginReading() {
  const std::lock_guard lock(mutex);
  if (training) {
    throw Error(ErrorKind::kBusy, "the model is being trained; expected to wait for its session");
  }
  ++readers;
}

void SharedSpace::endReading() {
  const std::lock_guard lock(mutex);
  --readers;
}

void SharedSpace::beginTraining() {
  const std::lock_guard lock(mutex);
  if (training || readers > 0) {
    throw Error(ErrorKind::kBusy, training ? "the model is being trained already"
                                           : "predictions of the model are under way");
  }
  training = true;
  ++version;
}

void SharedSpace::endTraining() {
  const std::lock_guard lock(mutex);
  training = false;
}

using Reading = SharedSpace::Reading;
using Training = SharedSpace::Training;

Napi::Function SpaceObject::define(Napi::Env env) {
  return DefineClass(
      env, "Space",
      {InstanceMethod("data", &SpaceObject::data),
       InstanceAccessor("lent", &SpaceObject::lent, nullptr),
       InstanceMethod("read", &SpaceObject::read), InstanceMethod("write", &SpaceObject::write),
       InstanceMethod("withdraw", &SpaceObject::withdraw),
       InstanceMethod("configureOverlays", &SpaceObject::configureOverlays),
       InstanceMethod("limitOverlays", &SpaceObject::limitOverlays),
       InstanceMethod("unitSize", &SpaceObject::unitSize),
       InstanceMethod("overlayUnits", &SpaceObject::overlayUnits),
       InstanceMethod("overlay", &SpaceObject::overlay),
       InstanceMethod("setOverlay", &SpaceObject::setOverlay),
       InstanceMethod("dropOverlays", &SpaceObject::dropOverlays),
       InstanceMethod("moveRows", &SpaceObject::moveRows),
       InstanceMethod("started", &SpaceObject::started),
       InstanceMethod("dispose", &SpaceObject::dispose)});
}

SpaceObject::SpaceObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SpaceObject>(info) {
  guarded(info.Env(), [&] {
    std::vector<ParameterSpec> specs;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto object = list.Get(i).As<Napi::Object>();
      ParameterSpec spec;
      spec.name = object.Get("name").As<Napi::String>();
      spec.kind = std::string(object.Get("kind").As<Napi::String>()) == "table"
                      ? ParameterKind::kTable
                      : ParameterKind::kDense;
      spec.shape = toShape(object.Get("shape"));
      spec.initializer = toInitializer(object.Get("initializer").As<Napi::Object>());
      spec.l2 = static_cast<float>(numberAt(object, "l2", 0.0));
      spec.trainable = object.Get("trainable").As<Napi::Boolean>();
      spec.bank = object.Get("bank").ToBoolean();
      specs.push_back(std::move(spec));
    }
    const auto seed = static_cast<uint64_t>(info[1].As<Napi::Number>().Int64Value());
    shared_ = std::make_shared<SharedSpace>(std::move(specs), seed,
                                            info.Env().GetInstanceData<AddonData>()->pool);
    report(info.Env(), weightsOf(shared_->space) * static_cast<int64_t>(sizeof(float)));
  });
}

std::shared_ptr<SharedSpace> SpaceObject::shared() const {
  if (!shared_) throw Error(ErrorKind::kBusy, "the parameter space is disposed");
  return shared_;
}

Napi::Value SpaceObject::viewOf(Napi::Env env, int parameter) {
  const auto count = static_cast<size_t>(elementCount(shared_->space.parameter(parameter).shape));
  auto& buffer = buffers_[parameter];
  if (buffer.IsEmpty()) {
    auto storage =
        Storage::external(shared_->space.data(parameter), count * sizeof(float), shared_);
    buffer = Napi::Persistent(toArrayBuffer(env, storage));
  }
  return Napi::Float32Array::New(env, count, buffer.Value(), 0);
}

Napi::Value SpaceObject::data(const Napi::CallbackInfo& info) {
  const Napi::Value view = read(info);
  shared_->lent = true;
  return view;
}

Napi::Value SpaceObject::lent(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] { return Napi::Boolean::New(info.Env(), shared()->lent); });
}

Napi::Value SpaceObject::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Reading reading(*shared);
    shared->awaitStart();
    return viewOf(info.Env(), shared->space.find(info[0].As<Napi::String>()));
  });
}

Napi::Value SpaceObject::write(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Training training(*shared);
    shared->awaitStart();
    const int parameter = shared->space.find(info[0].As<Napi::String>());
    // What was lent stays so.
    struct Returned {
      ~Returned() {
        if (shared.lent) return;
        buffers[parameter].Value().Detach();
        buffers.erase(parameter);
      }
      SharedSpace& shared;
      std::map<int, Napi::Reference<Napi::ArrayBuffer>>& buffers;
      int parameter;
    };
    const Napi::Value view = viewOf(info.Env(), parameter);
    const Returned returned{*shared, buffers_, parameter};
    info[1].As<Napi::Function>().Call({view});
    return info.Env().Undefined();
  });
}

Napi::Value SpaceObject::withdraw(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Training training(*shared());
    if (!shared_->lent) detachBuffers();
    return info.Env().Undefined();
  });
}

void configureSpace(ParameterSpace& space, const Napi::CallbackInfo& info) {
  const std::string combine = info[0].As<Napi::String>();
  const std::string start = info[1].As<Napi::String>();
  if ((combine != "plus" && combine != "times" && combine != "replace") ||
      (start != "neutral" && start != "random")) {
    throw Error(ErrorKind::kConfig, "overlays: '" + combine + "', '" + start +
                                        "'; expected plus, times or replace, and neutral or "
                                        "random");
  }
  space.configureOverlays(combine == "plus"
                              ? Combine::kPlus
                              : (combine == "times" ? Combine::kTimes : Combine::kReplace),
                          start == "neutral" ? SpecificStart::kNeutral : SpecificStart::kRandom,
                          space.select(toStrings(info[2])));
}

Napi::Value SpaceObject::configureOverlays(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Training training(*shared);
    configureSpace(shared->space, info);
    return info.Env().Undefined();
  });
}

void limitSpace(ParameterSpace& space, const Napi::CallbackInfo& info) {
  space.limitOverlays(info[0].As<Napi::String>(), info[1].As<Napi::Number>().Int64Value());
}

Napi::Value SpaceObject::limitOverlays(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Training training(*shared);
    limitSpace(shared->space, info);
    return info.Env().Undefined();
  });
}

Napi::Value SpaceObject::unitSize(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const ParameterSpace& space = shared()->space;
    const int parameter = space.find(info[0].As<Napi::String>());
    return Napi::Number::New(info.Env(),
                             static_cast<double>(space.unitSize(space.regionOf(parameter))));
  });
}

Napi::Value SpaceObject::overlayUnits(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Reading reading(*shared);
    const int domain = info[0].As<Napi::Number>();
    const int parameter = shared->space.find(info[1].As<Napi::String>());
    std::vector<uint32_t> units;
    shared->space.visitOverlay(
        domain, parameter, [&](uint32_t unit, std::span<const float>) { units.push_back(unit); });
    Napi::Uint32Array list = Napi::Uint32Array::New(info.Env(), units.size());
    std::copy(units.begin(), units.end(), list.Data());
    return list;
  });
}

Napi::Value SpaceObject::overlay(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Reading reading(*shared);
    const int domain = info[0].As<Napi::Number>();
    const int parameter = shared->space.find(info[1].As<Napi::String>());
    std::vector<uint32_t> units;
    std::vector<float> values;
    shared->space.visitOverlay(domain, parameter,
                               [&](uint32_t unit, std::span<const float> unitValues) {
                                 units.push_back(unit);
                                 values.insert(values.end(), unitValues.begin(), unitValues.end());
                               });
    Napi::Uint32Array list = Napi::Uint32Array::New(info.Env(), units.size());
    std::copy(units.begin(), units.end(), list.Data());
    Napi::Object object = Napi::Object::New(info.Env());
    object.Set("units", list);
    object.Set("values", toFloat32Array(info.Env(), values.data(), values.size()));
    return object;
  });
}

Napi::Value SpaceObject::setOverlay(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Training training(*shared);
    const int domain = info[0].As<Napi::Number>();
    const int parameter = shared->space.find(info[1].As<Napi::String>());
    const auto entries = info[2].As<Napi::Object>();
    const auto units = entries.Get("units").As<Napi::Uint32Array>();
    const auto values = entries.Get("values").As<Napi::Float32Array>();
    const auto size =
        static_cast<size_t>(shared->space.unitSize(shared->space.regionOf(parameter)));
    if (values.ElementLength() != units.ElementLength() * size) {
      throw Error(ErrorKind::kCheckpoint, "overlay: " + std::to_string(values.ElementLength()) +
                                              " values of " +
                                              std::to_string(units.ElementLength()) +
                                              " units; expected " + std::to_string(size) + " each");
    }
    for (size_t i = 0; i < units.ElementLength(); ++i) {
      shared->space.setOverlayUnit(domain, parameter, units[i], {values.Data() + i * size, size});
    }
    return info.Env().Undefined();
  });
}

Napi::Value SpaceObject::dropOverlays(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    const Training training(*shared);
    for (const OverlayId domain : shared->space.overlays()) shared->space.dropOverlay(domain);
    return info.Env().Undefined();
  });
}

std::shared_ptr<OptimizerState> toOptimizerState(const Napi::Value& kept,
                                                 const SharedSpace& space) {
  const KeptOptimizer& own = *kept.As<Napi::External<KeptOptimizer>>().Data();
  if (own.space.get() == &space) return own.state;
  throw Error(ErrorKind::kConfig, "an optimizer's state belongs to another model's parameters");
}

Napi::Value SpaceObject::moveRows(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::shared_ptr<SharedSpace> shared = this->shared();
    struct Moved {
      int parameter;
      std::span<const int32_t> from;
    };
    std::vector<Moved> tables;
    const auto list = info[0].As<Napi::Array>();
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const auto table = list.Get(i).As<Napi::Array>();
      const auto rows = table.Get(1u).As<Napi::Int32Array>();
      tables.push_back({shared->space.find(table.Get(0u).As<Napi::String>()),
                        {rows.Data(), rows.ElementLength()}});
    }
    const auto kept = info[1].As<Napi::Array>();
    std::vector<std::shared_ptr<OptimizerState>> optimizers;
    for (uint32_t i = 0; i < kept.Length(); ++i) {
      optimizers.push_back(toOptimizerState(kept.Get(i), *shared));
    }
    shared->beginTraining();
    detachBuffers();
    // Keeps the rows; only the event loop may let go of them.
    auto held = std::make_shared<Napi::ObjectReference>(Napi::Persistent(list.As<Napi::Object>()));
    return Task<bool>::start(
        info.Env(), info.This().As<Napi::Object>(),
        [shared, tables = std::move(tables), optimizers = std::move(optimizers),
         pool = info.Env().GetInstanceData<AddonData>()->pool] {
          shared->awaitStart();
          for (const auto& [parameter, from] : tables) {
            shared->space.moveRows(parameter, from, *pool);
            for (const auto& optimizer : optimizers) optimizer->moveRows(parameter, from);
          }
          return true;
        },
        [](Napi::Env env, bool&) { return env.Undefined(); },
        [this, shared, held, env = info.Env()] {
          shared->endTraining();
          report(env, weightsOf(shared->space) * static_cast<int64_t>(sizeof(float)));
        });
  });
}

Napi::Value SpaceObject::started(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return Task<bool>::start(
        info.Env(), info.This().As<Napi::Object>(),
        [shared = shared()] {
          shared->awaitStart();
          return true;
        },
        [](Napi::Env env, bool&) { return env.Undefined(); }, [] {});
  });
}

void SpaceObject::detachBuffers() {
  for (auto& [parameter, buffer] : buffers_) buffer.Value().Detach();
  buffers_.clear();
}

void SpaceObject::report(Napi::Env env, int64_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes - reported_);
  reported_ = bytes;
}

void SpaceObject::Finalize(Napi::Env env) { report(env, 0); }

Napi::Value SpaceObject::dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    if (shared_) {
      const Reading reading(*shared_);
      detachBuffers();
    }
    shared_.reset();
    report(info.Env(), 0);
    return info.Env().Undefined();
  });
}

}  // namespace polydomain
