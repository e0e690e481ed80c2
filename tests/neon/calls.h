/** Calls of the addon's functions on arrays, between the program that reads them and what stands for Node. */
#pragma once
#include <cstdint>
#include <string>
#include <vector>

/** An array, or a number where `type` is negative. */
struct HostValue {
  int type;       // as N-API counts the types of arrays
  int64_t count;  // elements of the array, or the number
  std::vector<char> bytes;
};

/** Names of all functions. */
std::vector<std::string> hostNames();

/** Runs a function, which changes the arrays that it is given. Returns its error, empty where there is none. */
std::string callHost(const std::string& name, std::vector<HostValue>& given);
