/**
 * `readSegments`: many places of files into one array, read by a thread of Node's pool while the program goes on. A promise is given;
 * one call takes the place of as many calls of `fs.read` as there are segments. Halves are widened by that thread, too, a piece at a
 * time while the processor has it in its cache.
 */
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "halves.h"
#include "host.h"

namespace pipeline {
namespace {

struct Segment {
  int file;
  int64_t place, bytes;
};

/** Halves that are read before they are widened. */
constexpr int64_t kHalves = 1 << 14;

struct Reading {
  explicit Reading(napi_env env) : env(env) {}
  Reading(const Reading&) = delete;
  ~Reading() {
    if (array) napi_delete_reference(env, array);
    if (work) napi_delete_async_work(env, work);
  }

  const napi_env env;
  std::vector<Segment> segments;
  char* to = nullptr;
  bool halves = false;
  /** What went wrong: an errno, or 0 and the segment behind whose file's end it lay; -1 where all went well. */
  int error = 0;
  int64_t cut = -1;
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  /** Keeps the array's memory until it is filled. */
  napi_ref array = nullptr;
};

/** Whether all of it could be read: `error` is what the system says where not, or 0 at the file's end. */
bool readWhole(int file, char* to, int64_t bytes, int64_t place, int& error) {
  for (int64_t done = 0; done < bytes;) {
    const ssize_t got = pread(file, to + done, bytes - done, place + done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      error = got < 0 ? errno : 0;
      return false;
    }
    done += got;
  }
  return true;
}

/** The same of halves, whose numbers go to `to`. */
bool readWidened(int file, float* to, int64_t bytes, int64_t place, int& error) {
  uint16_t some[kHalves];
  for (int64_t done = 0; done < bytes;) {
    const int64_t now = std::min<int64_t>(bytes - done, sizeof some);
    if (!readWhole(file, reinterpret_cast<char*>(some), now, place + done, error)) return false;
    widenHalves(some, to + done / 2, now / 2);
    done += now;
  }
  return true;
}

void read(napi_env, void* data) {
  Reading& reading = *static_cast<Reading*>(data);
  char* to = reading.to;
  for (size_t i = 0; i < reading.segments.size(); i++) {
    const auto& [file, place, bytes] = reading.segments[i];
    const bool whole = reading.halves ? readWidened(file, reinterpret_cast<float*>(to), bytes, place, reading.error)
                                      : readWhole(file, to, bytes, place, reading.error);
    if (!whole) {
      reading.cut = static_cast<int64_t>(i);
      return;
    }
    to += reading.halves ? 2 * bytes : bytes;
  }
}

/** Gives the number of the segment that could not be read whole, or -1; a fault of the system is thrown. */
void end(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Reading> reading(static_cast<Reading*>(data));
  napi_value result = nullptr;
  if (reading->error != 0) {
    napi_value text = nullptr;
    napi_create_string_utf8(env, std::strerror(reading->error), NAPI_AUTO_LENGTH, &text);
    napi_create_error(env, nullptr, text, &result);
    napi_reject_deferred(env, reading->deferred, result);
  } else {
    napi_create_int64(env, reading->cut, &result);
    napi_resolve_deferred(env, reading->deferred, result);
  }
}

/**
 * (files, places, bytes: one of each a segment; to: floats that they fill one after the other; halves: 1 where the files hold float16,
 * 0 where they hold what `to` holds)
 */
napi_value readSegments(napi_env env, napi_callback_info info) {
  try {
    const Arguments given(env, info);
    const auto files = given.words(0), bytes = given.words(2);
    const auto places = given.doubles(1);
    require(places.size == files.size && bytes.size == files.size, "A segment has a file, a place and a size.");
    const auto to = given.floats(3);
    auto reading = std::make_unique<Reading>(env);
    reading->halves = given.integer(4) == 1;
    int64_t total = 0;
    for (int64_t i = 0; i < files.size; i++) {
      require(!reading->halves || bytes.data[i] % 2 == 0, "A half has two bytes.");
      reading->segments.push_back({static_cast<int>(files.data[i]), static_cast<int64_t>(places.data[i]), bytes.data[i]});
      total += bytes.data[i];
    }
    require(total == to.size * (reading->halves ? 2 : 4), "The segments do not fill the array.");
    reading->to = reinterpret_cast<char*>(to.data);
    napi_value promise = nullptr, name = nullptr;
    require(napi_create_reference(env, given.value(3), 1, &reading->array) == napi_ok &&
                napi_create_string_utf8(env, "readSegments", NAPI_AUTO_LENGTH, &name) == napi_ok &&
                napi_create_promise(env, &reading->deferred, &promise) == napi_ok &&
                napi_create_async_work(env, nullptr, name, read, end, reading.get(), &reading->work) == napi_ok &&
                napi_queue_async_work(env, reading->work) == napi_ok,
            "Reading could not begin.");
    // It is its own from here on, until its end.
    reading.release();
    return promise;
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

const bool registered = (hostFunctions().push_back({"readSegments", readSegments}), true);

}  // namespace
}  // namespace pipeline
