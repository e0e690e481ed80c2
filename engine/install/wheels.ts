/**
 * The Python wheels that TensorFlow's libraries come from, pinned by sha256.
 *
 * Only libraries and headers are taken, so any Python's wheel does; the first of each list is asked for, and the others
 * stand in where a closed network offers those alone.
 */
import { UserError } from '../../core/errors.ts'
import { TENSORFLOW_VERSION, type Variant } from './places.ts'

/** A wheel: its exact file, of which everything else follows. */
export interface Wheel {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

/** What one machine needs: one of `tensorflow`, and all of `cuda`. */
export interface WheelSet {
  readonly tensorflow: readonly Wheel[]
  readonly cuda: readonly Wheel[]
}

const wheel = (file: string, bytes: number, sha256: string): Wheel => ({ file: `${file}.whl`, bytes, sha256 })

const processor = (python: string, bytes: number, sha256: string) =>
  wheel(`tensorflow_cpu-${TENSORFLOW_VERSION}-${python}-${python}-manylinux_2_27_x86_64`, bytes, sha256)

/** NVIDIA's libraries, as `tensorflow[and-cuda]` 2.21.0 asks for them. */
const nvidia: readonly Wheel[] = [
  wheel(
    'nvidia_cublas_cu12-12.9.3.13-py3-none-manylinux_2_27_x86_64',
    581217458,
    'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72',
  ),
  wheel(
    'nvidia_cuda_cupti_cu12-12.9.79-py3-none-manylinux_2_25_x86_64',
    10814997,
    '096bcf334f13e1984ba36685ad4c1d6347db214de03dbb6eebb237b41d9d934f',
  ),
  wheel(
    'nvidia_cuda_nvcc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64',
    40546229,
    '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0',
  ),
  wheel(
    'nvidia_cuda_nvrtc_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64',
    89568129,
    '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4',
  ),
  wheel(
    'nvidia_cuda_runtime_cu12-12.9.79-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64',
    3493179,
    '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3',
  ),
  wheel(
    'nvidia_cudnn_cu12-9.28.0.42-py3-none-manylinux_2_27_x86_64',
    716538495,
    '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375',
  ),
  wheel(
    'nvidia_cufft_cu12-11.4.1.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64',
    200877592,
    'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28',
  ),
  wheel(
    'nvidia_curand_cu12-10.3.10.19-py3-none-manylinux_2_27_x86_64',
    68295626,
    '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e',
  ),
  wheel(
    'nvidia_cusolver_cu12-11.7.5.82-py3-none-manylinux_2_27_x86_64',
    338117415,
    '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88',
  ),
  wheel(
    'nvidia_cusparse_cu12-12.5.10.65-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64',
    366465088,
    '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78',
  ),
  wheel(
    'nvidia_nccl_cu12-2.32.3-py3-none-manylinux_2_27_x86_64',
    351526311,
    'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c',
  ),
  wheel(
    'nvidia_nvjitlink_cu12-12.9.86-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64',
    39748338,
    'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9',
  ),
]

/** Known wheels by build, system and processor. Tried: Linux x64 for processors. */
const sets: Readonly<Record<string, WheelSet>> = {
  'cpu-linux-x64': {
    tensorflow: [
      processor('cp311', 273829956, '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c'),
      processor('cp312', 274000871, 'dcc8afd32930e42d5296b6ee19078b773706830af4ea97fbe503b9f5e0f820cb'),
      processor('cp313', 274271560, '05af7c26d35f4de910b5598c7b507e3981831a7b0f47fed9a405d995d51d7793'),
      processor('cp310', 273601549, 'd143e92f5c0661cdfa26eaca8f73cd2efd0ec53a68af8dec82f584ba8eb14b83'),
    ],
    cuda: [],
  },
  'cpu-linux-arm64': {
    tensorflow: [
      wheel(
        `tensorflow-${TENSORFLOW_VERSION}-cp311-cp311-manylinux_2_27_aarch64`,
        281828020,
        '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
      ),
    ],
    cuda: [],
  },
  'cpu-darwin-arm64': {
    tensorflow: [
      wheel(
        `tensorflow-${TENSORFLOW_VERSION}-cp311-cp311-macosx_12_0_arm64`,
        223405849,
        '51f46f4806139d01fc7920cc72a4c75876f80649bf40ff083ab6212ceb43ca88',
      ),
    ],
    cuda: [],
  },
  'cuda-linux-x64': {
    tensorflow: [
      wheel(
        `tensorflow-${TENSORFLOW_VERSION}-cp311-cp311-manylinux_2_27_x86_64`,
        572440367,
        '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      ),
    ],
    cuda: nvidia,
  },
}

/** This machine cannot have TensorFlow, whatever is installed on it. */
export class UnsupportedError extends UserError {}

/** The wheels for a build on this machine; an `UnsupportedError` where TensorFlow publishes none for it. */
export function wheelsFor(variant: Variant, platform = process.platform, arch = process.arch): WheelSet {
  const set = sets[`${variant}-${platform}-${arch}`]
  if (!set)
    throw new UnsupportedError(
      `TensorFlow ${TENSORFLOW_VERSION} ${variant === 'cuda' ? 'with CUDA ' : ''}has no build for ${platform} ${arch}.`,
      { fix: variant === 'cuda' ? 'Choose --engine tensorflow.' : 'Choose --engine wasm, which works everywhere.' },
    )
  return set
}

/** What a wheel's file name says: `package-version-python-abi-platforms.whl`. */
export function parseWheel(file: string): { requirement: string; python: string; platform: string } {
  const [name = '', version = '', python = '', , platforms = ''] = file.replace(/\.whl$/, '').split('-')
  return { requirement: `${name.replaceAll('_', '-')}==${version}`, python, platform: platforms.split('.')[0]! }
}
