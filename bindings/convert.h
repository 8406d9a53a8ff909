#pragma once

#include <napi.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "polydomain/error.h"
#include "polydomain/graph.h"
#include "polydomain/optimizer.h"
#include "polydomain/space.h"

namespace polydomain {

// What one environment (main thread or worker) of Node owns.
struct AddonData {
  std::shared_ptr<ThreadPool> pool;
  Napi::ObjectReference errors;  // the error classes by name: see setErrorClasses()
};

// The JavaScript error of the same class as a native one.
Napi::Error toJs(Napi::Env env, ErrorKind kind, const std::string& message);

// Runs `body`; a native error leaves it as its JavaScript counterpart.
template <typename Body>
auto guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw toJs(env, error.kind(), error.what());
  } catch (const std::bad_alloc&) {
    throw Napi::Error::New(env, "out of memory");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {  // of the standard library: it would end the process
    throw Napi::Error::New(env, error.what());
  }
}

Napi::ArrayBuffer toArrayBuffer(Napi::Env env, const std::shared_ptr<Storage>& storage);
Napi::TypedArray toTypedArray(Napi::Env env, DType type, Napi::ArrayBuffer buffer, size_t count);
Napi::Float32Array toFloat32Array(Napi::Env env, const float* data, size_t count);

DType dtypeOf(const Napi::TypedArray& array);
DType dtypeNamed(const std::string& name);
const void* dataOf(const Napi::TypedArray& array);

Shape toShape(const Napi::Value& value);
Napi::Array fromShape(Napi::Env env, const Shape& shape);
Attributes toAttributes(const Napi::Object& object);
Napi::Object fromAttributes(Napi::Env env, const Attributes& attributes);
std::vector<std::string> toStrings(const Napi::Value& value);
Initializer toInitializer(const Napi::Object& object);
OptimizerSpec toOptimizerSpec(const Napi::Object& object);

inline double numberAt(const Napi::Object& object, const char* key, double fallback) {
  const Napi::Value value = object.Get(key);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : fallback;
}

}  // namespace polydomain
