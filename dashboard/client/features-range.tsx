/** A histogram over which a range is drawn: by dragging, or by typing its ends; with the same as a table. */
import { useRef, useState } from 'preact/hooks'
import type { Api } from '../api/types.ts'
import { short } from '../charts/scale.ts'
import type { Range } from './features-state.ts'

const [width, height] = [240, 56]

interface RangeProps {
  readonly name: string
  readonly found: Api['histogram']['answer']
  readonly isLog: boolean
  readonly range: Range | undefined
  readonly setRange: (range: Range | undefined) => void
}

export function RangeHistogram({ name, found, isLog, range, setRange }: RangeProps) {
  const { edges, counts, missing, notShown } = found
  const svg = useRef<SVGSVGElement>(null)
  const [drawn, setDrawn] = useState<readonly [number, number] | undefined>()
  const bins = counts.length
  const most = Math.max(1, ...counts)
  const apart = [
    ...(missing > 0 ? [`${missing} missing`] : []),
    ...(notShown > 0 ? [`${notShown} at 0 or below`] : []),
  ].join(', ')
  if (bins === 0 || edges.length === 0)
    return (
      <figure class="range">
        <figcaption>{name}</figcaption>
        <p class="nothing">Missing for all of them.</p>
      </figure>
    )
  const binAt = (event: PointerEvent) => {
    const { left, width: wide } = svg.current!.getBoundingClientRect()
    return Math.min(bins - 1, Math.max(0, Math.floor(((event.clientX - left) / wide) * bins)))
  }
  const place = (value: number) => {
    const scaled = (edge: number) => (isLog ? Math.log10(Math.max(edge, 1e-300)) : edge)
    const [low, high] = [scaled(edges[0]!), scaled(edges.at(-1)!)]
    return high > low ? Math.min(width, Math.max(0, ((scaled(value) - low) / (high - low)) * width)) : 0
  }
  const between = (places: readonly [number, number]): Range => {
    const [first, last] = [Math.min(...places), Math.max(...places)]
    // The ends of a logarithmic scale are powers, rounded: the least and the largest value must not fall out by that.
    const slack = isLog ? 1e-9 : 0
    return {
      from: edges[first]! * (first === 0 ? 1 - slack : 1),
      to: edges[last + 1]! * (last === bins - 1 ? 1 + slack : 1),
    }
  }
  const chosen = drawn ? between(drawn) : range
  const end = (which: 'from' | 'to') => (
    <label>
      {which}{' '}
      <input
        type="number"
        step="any"
        value={range?.[which] ?? ''}
        placeholder={short(which === 'from' ? edges[0] : edges.at(-1))}
        onChange={event => {
          const { value } = event.currentTarget
          const other = { from: range?.from ?? edges[0]!, to: range?.to ?? edges.at(-1)! }
          if (value === '') return setRange(undefined)
          if (Number.isFinite(Number(value))) setRange({ ...other, [which]: Number(value) })
        }}
      />
    </label>
  )
  const peak = counts.indexOf(most)
  return (
    <figure class="range">
      <figcaption>{name}</figcaption>
      <svg
        ref={svg}
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`${name}: ${short(counts.reduce((sum, count) => sum + count, 0))} features, most between ${short(edges[peak])} and ${short(edges[peak + 1])}${apart ? `; ${apart}` : ''}`}
        onPointerDown={event => {
          svg.current!.setPointerCapture(event.pointerId)
          setDrawn([binAt(event), binAt(event)])
        }}
        onPointerMove={event => drawn && setDrawn([drawn[0], binAt(event)])}
        onPointerCancel={() => setDrawn(undefined)}
        onPointerUp={() => {
          if (drawn) setRange(between(drawn))
          setDrawn(undefined)
        }}
      >
        {counts.map((count, i) => {
          const high = count === 0 ? 0 : Math.max(1.5, (count / most) * (height - 4))
          return (
            <rect key={i} class="bar" x={(i * width) / bins} width={width / bins - 1} y={height - high} height={high}>
              <title>{`${short(edges[i])} to ${short(edges[i + 1])}: ${count}`}</title>
            </rect>
          )
        })}
        {chosen && (
          <rect
            class="brush"
            x={place(chosen.from)}
            width={Math.max(1, place(chosen.to) - place(chosen.from))}
            y={0}
            height={height}
          />
        )}
      </svg>
      <div class="ends">
        {end('from')} {end('to')}{' '}
        {range && (
          <button type="button" aria-label={`All of ${name}`} onClick={() => setRange(undefined)}>
            All
          </button>
        )}
      </div>
      {apart && <p class="soft">{apart}</p>}
      <details class="twin">
        <summary>As a table</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keys. */}
        {/* biome-ignore lint/a11y/useSemanticElements: no element is a group of this kind. */}
        <div class="scroll" tabIndex={0} role="group" aria-label={`Table of ${name}`}>
          <table>
            <thead>
              <tr>
                <th class="number" scope="col">
                  From
                </th>
                <th class="number" scope="col">
                  To
                </th>
                <th class="number" scope="col">
                  Features
                </th>
              </tr>
            </thead>
            <tbody>
              {counts.map((count, i) => (
                <tr key={i}>
                  <td class="number">{short(edges[i])}</td>
                  <td class="number">{short(edges[i + 1])}</td>
                  <td class="number">{count}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  )
}
