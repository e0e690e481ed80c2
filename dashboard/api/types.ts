/** What every route of the API takes and answers. Made from its contracts by `npm run api`; not edited by hand. */

export interface ClaimLine {
  run: string
  started: string
  feature: number
  hypothesis: string
  concept: string | null
  stated: string
  intervention: string
  direction: string
  verdict: string
  tier: string
  reasons: string[]
  wouldChange: Record<string, unknown>[]
  effect: number | null
  low: number | null
  high: number | null
  documents: number
  p: number | null
  q: number | null
  alpha: number
  smallestEffect: number
  minimumDetectableEffect: number | null
  power: number | null
  family: number
  runs: number
  earlier: number
  qAcross: number | null
  standing: string
  standingTier: string
}

export interface ComparedSae {
  run: string
  architecture: string | null
  site: string | null
  latents: number
  summary: Record<string, unknown>
  labels: string | null
}

export interface DriftCell {
  site: string
  stratum: Record<string, string> | null
  latent: {
    a: number
    b: number
  } | null
  documents: [number, number]
  means: [number | null, number | null]
  measures: ({
    name: string
    value: number | null
    expected: number | null
    p: number | null
    adjusted: number | null
  })[]
  drifted: boolean
}

export interface Family {
  run: string
  family: string
  size: number
  alpha: number
  p: number[]
  line: number[]
  uniformity: {
    distance: number
    p: number
  } | null
}

export interface FeatureEvidence {
  claim: {
    feature: number
    stated: 'file' | 'settings'
    concept: string | null
    hypothesis: string
    metric: 'target'
    primary: 'ablate' | 'steer'
    direction: 'increase' | 'decrease'
    smallestEffect: number
    alpha: number
    power: number
    controls: Record<string, number>
    strata: Record<string, string[]>
    falsifiers: ({
      path: string
      is?: string | number | boolean | undefined
      above?: number | undefined
      below?: number | undefined
    })[]
    target: {
      source: 'labels' | 'activations'
      separation: number
      counted: {
        concept: number
        rest: number
      }
      tokens: {
        token: number
        weight: number
      }[]
    }
    discovery: {
      density: number
      auroc: number | null
      unit: number
      maximum: number
      held: number | null
    }
    selection: {
      concept: string
      rank: number
      among: number
    } | null
    dose: number
    doses: number[]
    documents: {
      ablate: string[]
      steer: string[]
    }
  }
  verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run'
  reasons: string[]
  causal: {
    verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run'
    reason: string
  }
  selectivity: {
    concept: string
    discoveryAuroc: number | null
    auroc: number | null
    low: number | null
    high: number | null
    deLong: {
      low: number | null
      high: number | null
    }
    tokens: number
    positives: number
    documents: number
    nullMaxima: number[]
    p: number | null
    q: number | null
    verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run'
    reason: string
  } | null
  ablate: {
    dose: number
    norm: number | null
    metrics: {
      target: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
      loss: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
      kl: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
    }
    test: {
      family: string
      size: number
      p: number | null
      q: number | null
      direction: 'increase' | 'decrease'
      asClaimed: boolean
    }
    power: {
      effectiveAlpha: number
      atSmallestEffect: number
      minimumDetectableEffect: number | null
    } | null
  } | null
  steer: {
    dose: number
    norm: number | null
    metrics: {
      target: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
      loss: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
      kl: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        controls: ({
          control: string
          paired: boolean
          count: number
          planned: number
          mean: number | null
          deviation: number | null
          spread: {
            low: number | null
            high: number | null
          }
          difference: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          percentile: number | null
          z: number | null
          alternative: 'greater' | 'less' | 'two-sided'
          p: number | null
          used: number
          method: 'rank' | 'stopped' | 'tail' | 'bound' | 'look'
          critical: number | null
        })[]
      }
    }
    test: {
      family: string
      size: number
      p: number | null
      q: number | null
      direction: 'increase' | 'decrease'
      asClaimed: boolean
    }
    power: {
      effectiveAlpha: number
      atSmallestEffect: number
      minimumDetectableEffect: number | null
    } | null
  } | null
  doseCurve: ({
    dose: number
    target: {
      documents: number
      mean: number | null
      low: number | null
      high: number | null
      interval: 'none' | 't'
      dz: number | null
      g: number | null
      p: number | null
    }
    loss: {
      documents: number
      mean: number | null
      low: number | null
      high: number | null
      interval: 'none' | 't'
      dz: number | null
      g: number | null
      p: number | null
    }
    kl: {
      documents: number
      mean: number | null
      low: number | null
      high: number | null
      interval: 'none' | 't'
      dz: number | null
      g: number | null
      p: number | null
    }
  })[]
  doseTrend: number | null
  sideEffect: {
    documents: number
    mean: number | null
    low: number | null
    high: number | null
    interval: 'none' | 't'
    dz: number | null
    g: number | null
    p: number | null
  } | null
  sham: number | null
  robustness: ({
    intervention: 'ablate' | 'steer'
    field: string
    value: string
    documents: number
    mean: number | null
    low: number | null
    high: number | null
    ratio: number | null
    ratioLow: number | null
    ratioHigh: number | null
  })[]
  strataHeld: ({
    field: string
    value: string
    documents: number
    control: string | null
    difference: number | null
    low: number | null
    high: number | null
    verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run'
    reason: string
  })[]
  falsifiers: ({
    falsifier: {
      path: string
      is?: string | number | boolean | undefined
      above?: number | undefined
      below?: number | undefined
    }
    value: string | number | boolean | null
    state: 'absent' | 'found' | 'undecided'
  })[]
  tier: {
    tier: 'proposed' | 'underdetermined' | 'refuted' | 'suggestive' | 'supported' | 'triangulated'
    rule: string
    lines: ({
      line: 'other-intervention' | 'out-of-distribution' | 'specificity' | 'within-token' | 'sufficiency'
      state: 'holds' | 'contradicts' | 'undecided' | 'not-asked'
      path: string
      value: number | string | boolean | null
    })[]
    wouldChange: ({
      to: 'proposed' | 'underdetermined' | 'refuted' | 'suggestive' | 'supported' | 'triangulated'
      path: string
      value: number | string | boolean | null
      needs: 'at most' | 'above' | 'below' | 'is'
      threshold: number | string | boolean
    })[]
  }
  studies: {
    association?: {
      averagePrecision: number
      prevalence: number
      threshold: number | null
      precision: number | null
      recall: {
        estimate: number | null
        low: number | null
        high: number | null
      } | null
      f1: {
        estimate: number | null
        low: number | null
        high: number | null
      } | null
      lift: {
        estimate: number | null
        low: number | null
        high: number | null
      } | null
      oddsRatio: {
        estimate: number | null
        low: number | null
        high: number | null
      } | null
      information: {
        plugIn: number
        corrected: number
        givenToken: {
          plugIn: number
          corrected: number
        }
        entropy: number
      }
      withinToken: {
        estimate: number
        low: number | null
        high: number | null
        p: number
        pairs: number
        strata: number
        documents: number
      } | null
      q: number | null
      tied: {
        count: number
        mean: number | null
        p: number | null
      }
      finding: 'beyond-token' | 'as-random-directions' | 'token' | 'no-comparison'
      correlated: {
        concept: string
        phi: number
        givenOther: {
          estimate: number
          low: number | null
          high: number | null
          p: number
          pairs: number
          strata: number
          documents: number
        } | null
        otherGiven: {
          estimate: number
          low: number | null
          high: number | null
          p: number
          pairs: number
          strata: number
          documents: number
        } | null
        oddsRatio: {
          estimate: number | null
          low: number | null
          high: number | null
        }
        told: 'claimed' | 'other' | 'both' | 'neither' | null
      } | null
    } | null | undefined
    ceiling?: {
      intervention: 'ablate' | 'steer'
      ceiling: string | null
      share: {
        ratio: number
        low: number
        high: number
      } | null
      methods: ({
        intervention: 'ablate' | 'steer'
        method: string
        cosine: number | null
        target: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
      })[]
    } | null | undefined
    controls?: {
      effect: number | null
      norm: number | null
      kl: number | null
      kinds: ({
        control: string
        count: number
        effect: number | null
        norm: number | null
        kl: number | null
        share: {
          ratio: number
          low: number
          high: number
        } | null
        p: number | null
      })[]
      strongest: number | null
    } | null | undefined
    dormant?: {
      tokens: number
      lengths: {
        active: number
        dormant: number
      }
      moved: number
      ablate: {
        whole: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        active: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        dormant: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
      } | null
      steer: {
        whole: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        active: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        dormant: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
      } | null
      dormant: boolean | null
    } | null | undefined
    doses?: {
      documents: number
      points: ({
        dose: number
        target: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        kl: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
      })[]
      trend: {
        statistic: number
        z: number | null
        p: number
        permutationP: number
      }
      slope: {
        observed: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        predicted: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        ratio: {
          ratio: number
          low: number
          high: number
        } | null
      }
      isotonic: number | null
      logistic: {
        bottom: number
        top: number
        ec50: number
        slope: number
        rSquared: number
      } | null
      window: {
        effectDose: number | null
        capDose: number | null
        ratio: number
        low: number | null
        high: number | null
        atLeast: boolean
      }
      equalKl: {
        effect: number
        p: Record<string, number>
      } | null
    } | null | undefined
    halves?: {
      documents: [number, number]
      effectiveAlpha: number
      halvings: number
      both: number
      one: number
      neither: number
      sameSign: number
      lowest: number
      highest: number
      finding: 'replicates' | 'depends-on-documents' | 'in-neither-half'
    } | null | undefined
    heterogeneity?: {
      control: string | null
      fields: ({
        field: string
        strata: number
        documents: number
        pooled: number | null
        low: number | null
        high: number | null
        cochranQ: number | null
        df: number | null
        i2: number | null
        tau2: number | null
        p: number
        q: number
        worst: {
          value: string
          documents: number
          difference: number
          low: number | null
          high: number | null
          ratio: {
            ratio: number
            low: number
            high: number
          } | null
        }
        everywhere: boolean
      })[]
    } | null | undefined
    interchange?: {
      pairs: number
      difference: {
        documents: number
        mean: number | null
        low: number | null
        high: number | null
        interval: 'none' | 't'
        dz: number | null
        g: number | null
        p: number | null
      }
      sufficiency: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
        p: number | null
        found: boolean | null
      }
      necessity: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
        p: number | null
        found: boolean | null
      }
      backup: boolean | null
    } | null | undefined
    interventions?: {
      kinds: ({
        intervention: string
        takes: 'away' | 'in'
        norm: number | null
        target: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        kl: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        share: {
          ratio: number
          low: number
          high: number
        } | null
        asClaimed: boolean | null
      })[]
      agree: boolean | null
    } | null | undefined
    negatives?: {
      positives: number
      all: number | null
      sameToken: {
        tokens: number
        documents: number
        auroc: number | null
        low: number | null
        high: number | null
        share: number | null
        told: boolean | null
      }
      nearest: {
        tokens: number
        documents: number
        auroc: number | null
        low: number | null
        high: number | null
        share: number | null
        told: boolean | null
      }
      told: boolean | null
    } | null | undefined
    output?: {
      documents: number
      strength: number
      outputScore: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        p: number | null
      }
      confidenceShift: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        p: number | null
      }
      inputScore: number | null
    } | null | undefined
    transfer?: {
      intervention: 'ablate' | 'steer'
      effect: {
        documents: number
        mean: number | null
        low: number | null
        high: number | null
        interval: 'none' | 't'
        dz: number | null
        g: number | null
        p: number | null
      }
      control: string
      controls: number
      difference: number | null
      low: number | null
      high: number | null
      interval: 'none' | 't'
      validation: {
        documents: number
        difference: number | null
      }
      ratio: number | null
      ratioLow: number | null
      ratioHigh: number | null
      verdict: 'pass' | 'fail' | 'inconclusive' | 'not-run'
      reason: string
    } | null | undefined
    robustness?: {
      control: string
      controls: number
      asIs: {
        difference: number
        low: number | null
        high: number | null
        auroc: number | null
      }
      shifts: ({
        shift: string
        documents: number
        active: number
        difference: number | null
        low: number | null
        high: number | null
        ratio: {
          ratio: number
          low: number
          high: number
        } | null
        kept: 'yes' | 'no' | 'unclear'
        auroc: number | null
        aurocRatio: {
          ratio: number
          low: number
          high: number
        } | null
      })[]
      worst: string | null
    } | null | undefined
    sets?: {
      latents: ({
        latent: number
        because: 'claimed' | 'concept' | 'firing' | 'decoder'
        alone: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        given: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
      })[]
      joint: {
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        p: number | null
      }
      interactions: ({
        latents: [number, number]
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
      })[]
      sufficient: {
        latents: number[]
        documents: number
        kept: {
          ratio: number
          low: number
          high: number
        } | null
      } | null
    } | null | undefined
    siblings?: {
      siblings: ({
        sae: string
        hash: string
        match: number | null
        cosine: number | null
        matched: boolean
        documents: number
        difference: number | null
        low: number | null
        high: number | null
        passes: boolean
      })[]
      matched: number
      passed: number
      low: number
      high: number
      finding: 'replicates' | 'in-some' | 'in-none' | 'unmatched'
    } | null | undefined
    specificity?: {
      intervention: 'ablate' | 'steer'
      own: {
        documents: number
        mean: number | null
        low: number | null
        high: number | null
        interval: 'none' | 't'
        dz: number | null
        g: number | null
        p: number | null
      }
      rank: number
      among: number
      offTargets: ({
        concept: string
        cosine: number
        effect: {
          documents: number
          mean: number | null
          low: number | null
          high: number | null
          interval: 'none' | 't'
          dz: number | null
          g: number | null
          p: number | null
        }
        ratio: {
          ratio: number
          low: number
          high: number
        } | null
        equivalenceP: number
        leakP: number
      })[]
      offOn: {
        ratio: number
        low: number | null
        high: number | null
      } | null
      p: number | null
      cause: number | null
      isolation: number | null
      score: number | null
      isolated: boolean | null
      leaks: string[]
    } | null | undefined
  }
}

export interface Label {
  text: string
  kind: string
  scoreName: string
  score: number | null
  scoreLow: number | null
  scoreHigh: number | null
  coverage: number | null
  madeBy: string
  precision: number | null
  recall: number | null
  f1: number | null
  baseRate: number | null
  verdict: string
  tier: string | null
  stability: number | null
  source: Source
}

export interface LineageEdge {
  from: string
  to: string
  role: string
  state: 'same' | 'changed' | 'missing' | 'file'
}

export interface LineageNode {
  id: string
  kind: string
  status: string | null
  started: string | null
  layer: number
  stale: boolean
}

export interface Next {
  token: number
  text: string
  p: number
  change: number
  rank: number
}

export interface PlayEdit {
  latent: number
  /** f′ = 0; strength·m; strength·f; f + strength·m */
  kind: 'ablate' | 'set' | 'scale' | 'add'
  /** In multiples of m, and of f for scale */
  strength?: number | undefined
  /** Where it fires, everywhere but at position 0, or at these positions */
  positions?: 'active' | 'all' | number[] | undefined
}

export interface PlayRow {
  kind: 'edit' | 'random' | 'foreign'
  id: number | null
  norm: number
  next: Next[]
  metric: number | null
  change: number | null
  kl: number
  meanKl: number
}

export interface PlayToken {
  id: number
  text: string
}

export interface RunLine {
  id: string
  stage: string
  status: 'running' | 'finished' | 'failed' | 'interrupted'
  started: string
  finished: string | null
  seed: number
  summary: Record<string, unknown>
  site: string | null
  model: string | null
  architecture: string | null
  latents: number | null
  settings: string
}

export interface RunManifest {
  schema: 2
  format: number
  id: string
  stage: string
  status: 'running' | 'finished' | 'failed' | 'interrupted'
  config: Record<string, unknown>
  inputs: ({
    role: string
    run?: string | undefined
    path?: string | undefined
    sha256: string
  })[]
  key: string
  seed: number
  engine: Record<string, unknown>
  versions: Record<string, string>
  machine: Record<string, unknown>
  started: string
  finished: string | null
  summary: Record<string, unknown>
  timing?: Record<string, number> | undefined
  files: Record<string, string>
  sha256: string | null
}

export interface ShownLabel {
  text: string
  scoreName: string
  score: number | null
  coverage: number | null
  verdict: string
  tier: string | null
  run: string
}

export interface Source {
  run: string
  file: string
  sha256: string | null
  where: string
}

export interface Test {
  feature: number
  kind: 'main' | 'dose' | 'stratum' | 'side-effect' | 'study'
  name: string | null
  intervention: string | null
  dose: number | null
  metric: string
  control: string | null
  registered: boolean
  estimate: number | null
  low: number | null
  high: number | null
  controls: {
    mean: number | null
    low: number | null
    high: number | null
    count: number
  } | null
  documents: number | null
  dz: number | null
  p: number | null
  q: number | null
  smallestEffect: number | null
  minimumDetectableEffect: number | null
  source: Source
}

/** The routes by name. */
export interface Api {
  /** What this server is and can do, and what a page of it must send with a POST */
  session: {
    method: 'GET'
    path: '/api/session'
    parts: Record<never, never>
    query: Record<never, never>
    body: undefined
    answer: {
      version: string
      store: string
      computes: boolean
      bounds: Record<string, number>
      session: string
    }
    events: never
    file: never
  }

  /** Runs of the store, newest first, and folders that cannot be read */
  runs: {
    method: 'GET'
    path: '/api/runs'
    parts: Record<never, never>
    query: {
      /** Only runs of this stage */
      stage?: string | undefined
      /** Only runs of this status */
      status?: 'running' | 'finished' | 'failed' | 'interrupted' | undefined
      /** Conditions on columns and figures that all must hold: fvu<0.07 and stage=train */
      where?: string | string[] | undefined
      /** A column or figure; -column for the largest first (default: newest first) */
      sort?: string | undefined
      /** Runs to leave out; not with a cursor */
      offset?: number | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      runs: RunLine[]
      total: number
      next: string | null
      unreadable: {
        directory: string
        reason: string
      }[]
    }
    events: never
    file: never
  }

  /** A run's manifest: settings, inputs by hash, figures, files; secrets are left out */
  run: {
    method: 'GET'
    path: '/api/runs/{run}'
    parts: { run: string }
    query: Record<never, never>
    body: undefined
    answer: RunManifest
    events: never
    file: never
  }

  /** Hashes a finished run's files again and says which are not what its manifest says */
  verify: {
    method: 'GET'
    path: '/api/runs/{run}/verify'
    parts: { run: string }
    query: Record<never, never>
    body: undefined
    answer: {
      files: number
      bytes: number
      problems: {
        what: string
        problem: string
      }[]
    }
    events: never
    file: never
  }

  /** Where two runs differ: stage, seed, engine, versions, settings, inputs, figures and files */
  diff: {
    method: 'GET'
    path: '/api/runs/{run}/diff'
    parts: { run: string }
    query: {
      /** The other run */
      with: string
    }
    body: undefined
    answer: {
      a: string
      b: string
      differences: {
        key: string
        a: unknown
        b: unknown
      }[]
      same: number
    }
    events: never
    file: never
  }

  /** What a run was made from and what was made from it, with inputs that changed or are gone */
  lineage: {
    method: 'GET'
    path: '/api/runs/{run}/lineage'
    parts: { run: string }
    query: {
      /** How far to go from the run, either way */
      hops?: number | undefined
    }
    body: undefined
    answer: {
      nodes: LineageNode[]
      edges: LineageEdge[]
    }
    events: never
    file: never
  }

  /** The graph of all runs of the store */
  graph: {
    method: 'GET'
    path: '/api/lineage'
    parts: Record<never, never>
    query: {
      /** Newest runs to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      nodes: LineageNode[]
      edges: LineageEdge[]
      total: number
    }
    events: never
    file: never
  }

  /** Metrics of a run, finished or running, from a byte on: ask again with the cursor of the answer */
  metrics: {
    method: 'GET'
    path: '/api/runs/{run}/metrics'
    parts: { run: string }
    query: {
      /** Where to go on: 0, or the cursor of the last answer */
      cursor?: number | undefined
    }
    body: undefined
    answer: {
      records: Record<string, unknown>[]
      cursor: number
      more: boolean
      status: string
    }
    events: never
    file: never
  }

  /** Metrics as curves: smallest, largest and last value in each of so many equal parts of x */
  curves: {
    method: 'GET'
    path: '/api/runs/{run}/curves'
    parts: { run: string }
    query: {
      /** Metrics to give (default: every number) */
      key?: string | string[] | undefined
      /** The metric along x, such as step or tokens */
      x?: string | undefined
      /** Only records from this x on */
      from?: number | undefined
      /** Only records up to this x */
      to?: number | undefined
      /** Parts of x, such as the pixels of the chart */
      buckets?: number | undefined
      /** Width of a part, so that several runs share one grid */
      grid?: number | undefined
    }
    body: undefined
    answer: {
      x: string
      records: number
      skipped: number
      width: number | null
      curves: {
        key: string
        x: number[]
        min: number[]
        max: number[]
        last: number[]
        count: number[]
        missing: number[]
      }[]
      resumed: number[]
      status: string
    }
    events: never
    file: never
  }

  /** What happens, as server-sent events: `runs` when a manifest changes, `metrics` with new records of runs that are watched, `reset` where a run went back to a checkpoint and its curve begins anew. The id of an event says how far the stream is: sent back as Last-Event-ID it goes on there, on any server of the store */
  live: {
    method: 'GET'
    path: '/api/live'
    parts: Record<never, never>
    query: {
      /** Runs whose metrics are watched, at most 32 */
      run?: string | string[] | undefined
      /** Where to begin, as the id of an event says it (run:byte,run:byte); default: at the first record */
      cursor?: string | undefined
    }
    body: undefined
    answer: {
      tag: string
      runs: RunLine[]
      gone: string[]
    } | {
      run: string
      records: Record<string, unknown>[]
      cursor: number
    } | {
      run: string
      reason: string
    }
    events: 'runs' | 'metrics' | 'reset'
    file: never
  }

  /** Features of a label run: filtered, sorted, a page at a time */
  features: {
    method: 'GET'
    path: '/api/runs/{run}/features'
    parts: { run: string }
    query: {
      /** Conditions that all must hold: `density>=0.001 and (verdict=pass or label~apple)`; operators = != < <= > >= ~ (contains), not, and, or */
      where?: string | string[] | undefined
      /** Only features whose label contains this, without regard to case */
      label?: string | undefined
      /** Only features that promote or suppress this token, have it in their rule, or are strongest at it */
      token?: string | undefined
      /** Only features with an example that contains this text */
      text?: string | undefined
      /** A column; -column for the largest first. What is missing comes last either way */
      sort?: string | undefined
      /** Columns to give (default: all but lists). A label comes with its scores, what it covers, verdict, stability and hashes, always */
      column?: string | string[] | undefined
      /** Features to leave out; not with a cursor */
      offset?: number | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      features: Record<string, unknown>[]
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** All features of a label run that fulfil conditions, as a file to keep, streamed */
  exported: {
    method: 'GET'
    path: '/api/runs/{run}/export'
    parts: { run: string }
    query: {
      /** Conditions that all must hold: `density>=0.001 and (verdict=pass or label~apple)`; operators = != < <= > >= ~ (contains), not, and, or */
      where?: string | string[] | undefined
      /** Only features whose label contains this, without regard to case */
      label?: string | undefined
      /** Only features that promote or suppress this token, have it in their rule, or are strongest at it */
      token?: string | undefined
      /** Only features with an example that contains this text */
      text?: string | undefined
      /** A column; -column for the largest first. What is missing comes last either way */
      sort?: string | undefined
      /** Columns to give (default: all but lists). A label comes with its scores, what it covers, verdict, stability and hashes, always */
      column?: string | string[] | undefined
      /** csv (RFC 4180, lists as JSON), jsonl (an object a line), arrow (an IPC stream) */
      format?: 'csv' | 'jsonl' | 'arrow' | undefined
    }
    body: undefined
    answer: Record<string, unknown>
    events: never
    file: 'text/csv' | 'application/jsonl' | 'application/vnd.apache.arrow.stream'
  }

  /** The columns of the features of a label run: type, range, missing values */
  columns: {
    method: 'GET'
    path: '/api/runs/{run}/columns'
    parts: { run: string }
    query: Record<never, never>
    body: undefined
    answer: {
      rows: number
      columns: ({
        name: string
        type: 'number' | 'boolean' | 'text' | 'list'
        missing: number
        least: number | null
        most: number | null
        values: {
          value: string
          count: number
        }[] | null
      })[]
    }
    events: never
    file: never
  }

  /** How a column of numbers is distributed over the features that fulfil conditions */
  histogram: {
    method: 'GET'
    path: '/api/runs/{run}/histogram'
    parts: { run: string }
    query: {
      /** Conditions that all must hold: `density>=0.001 and (verdict=pass or label~apple)`; operators = != < <= > >= ~ (contains), not, and, or */
      where?: string | string[] | undefined
      /** Only features whose label contains this, without regard to case */
      label?: string | undefined
      /** Only features that promote or suppress this token, have it in their rule, or are strongest at it */
      token?: string | undefined
      /** Only features with an example that contains this text */
      text?: string | undefined
      /** A column of numbers */
      column: string
      /** Equal parts of the range */
      bins?: number | undefined
      /** log: equal parts of log₁₀; values ≤ 0 are counted apart */
      scale?: 'linear' | 'log' | undefined
    }
    body: undefined
    answer: {
      column: string
      edges: number[]
      counts: number[]
      missing: number
      notShown: number
      total: number
    }
    events: never
    file: never
  }

  /** One feature: its record, its label with what speaks for it, examples, and all its evidence */
  feature: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}'
    parts: { run: string; latent: string }
    query: Record<never, never>
    body: undefined
    answer: {
      feature: Record<string, unknown>
      label: Label | null
      histogram: {
        edges: number[]
        counts: number[]
      }
      examples: Record<string, unknown>[]
      groups: {
        group: string
        count: number
      }[]
      evidence: FeatureEvidence | null
      evidenceRun: string | null
      command: string | null
      previous: number | null
      following: number | null
      source: Source
    }
    events: never
    file: never
  }

  /** Examples of a feature by group: the strongest, some of each band of its range, and text on which it is silent */
  examples: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}/examples'
    parts: { run: string; latent: string }
    query: {
      /** Only examples of this group */
      group?: string | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      examples: Record<string, unknown>[]
      groups: {
        group: string
        count: number
      }[]
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** Which tokens a feature promotes and suppresses directly, and which its claim weighs */
  logits: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}/logits'
    parts: { run: string; latent: string }
    query: Record<never, never>
    body: undefined
    answer: {
      promoted: {
        token: string
        effect: number
      }[]
      suppressed: {
        token: string
        effect: number
      }[]
      target: {
        intervention: string
        tokens: {
          token: number
          weight: number
        }[]
        effect: number | null
        low: number | null
        high: number | null
        documents: number
      } | null
    }
    events: never
    file: never
  }

  /** The latents of the same SAE whose decoder rows are nearest by cosine: from the table where it holds so many, else computed from the weights */
  neighbours: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}/neighbours'
    parts: { run: string; latent: string }
    query: {
      /** Latents to give */
      count?: number | undefined
    }
    body: undefined
    answer: {
      sae: string | null
      from: 'table' | 'weights'
      neighbours: ({
        latent: number
        cosine: number
        label: ShownLabel | null
        density: number | null
      })[]
    }
    events: never
    file: never
  }

  /** Whether other SAEs have the feature: the stability joined to the labels, and siblings put to the same test */
  stability: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}/stability'
    parts: { run: string; latent: string }
    query: Record<never, never>
    body: undefined
    answer: {
      cosine: number | null
      scale: {
        atLeast: number
        share: number
      }[]
      compared: number
      siblings: Record<string, unknown>[]
      evidenceRun: string | null
      command: string | null
    }
    events: never
    file: never
  }

  /** How well a feature tells its claim’s concept at each threshold, from the raw activations of its validation text: recall and precision with intervals over documents */
  roc: {
    method: 'GET'
    path: '/api/runs/{run}/features/{latent}/roc'
    parts: { run: string; latent: string }
    query: Record<never, never>
    body: undefined
    answer: {
      concept: string
      evidenceRun: string
      tokens: number
      positives: number
      documents: number
      auroc: number | null
      points: ({
        threshold: number
        truePositives: number
        falsePositives: number
        recall: {
          value: number | null
          low: number | null
          high: number | null
        }
        precision: {
          value: number | null
          low: number | null
          high: number | null
        }
        falseAlarms: number
      })[]
    }
    events: never
    file: never
  }

  /** The whole evidence of a validate run: claims, statistics, controls, verdicts */
  evidence: {
    method: 'GET'
    path: '/api/runs/{run}/evidence'
    parts: { run: string }
    query: Record<never, never>
    body: undefined
    answer: {
      schema: 5
      hashes: {
        model: string
        sae: string
        dataset: string
      }
      site: string
      weightProcessing: 'none'
      seed: number
      config: Record<string, unknown>
      definitions: Record<string, string>
      claims: {
        sha256: string
        file: {
          sha256: string
          written: string
        } | null
      }
      splits: {
        discovery: string[]
        validation: string[]
        outOfDistribution: string[]
        nearDuplicates: {
          threshold: number
          shingle: number
          dropped: number
          droppedDocuments: {
            document: string
            split: string
            copyOf: string
            keptIn: string
          }[]
          merged: number
          mergedDocuments: {
            document: string
            split: string
            copyOf: string
          }[]
        }
      }
      strata: Record<string, Record<string, string>>
      reconstruction: Record<string, unknown>
      features: FeatureEvidence[]
      studies: {
        baselines?: {
          ahead: 'yes' | 'no' | 'undecided'
          summary: string
          trained: {
            claims: number
            passed: number
            share: number | null
          }
          together: {
            claims: number
            passed: number
            share: number | null
            difference: number | null
            low: number | null
            high: number | null
            ahead: 'yes' | 'no' | 'undecided'
          }
          baselines: ({
            name: 'random' | 'shuffled-decoder' | 'pca' | 'frozen-decoder' | 'frozen-encoder' | 'untrained-model'
            text: string
            claims: number
            passed: number
            share: number | null
            repetitions: {
              claims: number
              passed: number
            }[]
            difference: number | null
            low: number | null
            high: number | null
            ahead: 'yes' | 'no' | 'undecided'
          })[]
        } | null | undefined
        absorption?: {
          repeats: number
          full: {
            mean: number
            smallestReliableDifference: number | null
          }
          fraction: {
            mean: number
            smallestReliableDifference: number | null
          }
          splits: {
            mean: number
            smallestReliableDifference: number | null
          }
          mainF1: {
            mean: number
            smallestReliableDifference: number | null
          }
          concepts: {
            concept: string
            probeF1: number
            full: number
            fraction: number
            splits: number
            mainF1: number
            told: number
            absorbers: number[]
          }[]
        } | null | undefined
        probing?: {
          repeats: number
          values: {
            accuracy: number
            smallestReliableDifference: number | null
          }
          latents: ({
            k: number
            accuracy: number
            smallestReliableDifference: number | null
            share: number | null
          })[]
          concepts: ({
            concept: string
            level: 'token' | 'window'
            values: number
            latents: {
              k: number
              accuracy: number
            }[]
          })[]
        } | null | undefined
        ravel?: {
          repeats: number
          entities: number
          cause: {
            mean: number
            smallestReliableDifference: number | null
          }
          isolation: {
            mean: number
            smallestReliableDifference: number | null
          }
          score: {
            mean: number
            smallestReliableDifference: number | null
          }
          attributes: {
            attribute: string
            latents: number
            cause: number
            isolation: number
            score: number
          }[]
          all: {
            cause: number
            isolation: number
            score: number
          }
          values: {
            cause: number
            isolation: number
            score: number
          }
        } | null | undefined
      }
    }
    events: never
    file: never
  }

  /** Every test of a validate run as rows: estimate, interval, controls, n, p and q, and where each is from */
  tests: {
    method: 'GET'
    path: '/api/runs/{run}/tests'
    parts: { run: string }
    query: {
      /** Only tests of this latent */
      feature?: number | undefined
      /** Only tests of these kinds */
      kind?: string | string[] | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      tests: Test[]
      total: number
      next: string | null
      definitions: Record<string, string>
    }
    events: never
    file: never
  }

  /** Raw values of a validate run: a row an edit of a document */
  effects: {
    method: 'GET'
    path: '/api/runs/{run}/effects'
    parts: { run: string }
    query: {
      /** Only rows of this latent */
      feature?: number | undefined
      /** Only rows of this control, or `feature` for the latent itself */
      control?: string | undefined
      /** Only rows of this intervention */
      intervention?: string | undefined
      /** Further conditions on columns */
      where?: string | string[] | undefined
      /** Rows to leave out; not with a cursor */
      offset?: number | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      effects: Record<string, unknown>[]
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** Claims of all validate runs with their verdicts, families of tests, and what stands over all runs of an SAE */
  claims: {
    method: 'GET'
    path: '/api/claims'
    parts: Record<never, never>
    query: {
      /** Only claims of this run */
      run?: string | undefined
      /** Only claims with this verdict */
      verdict?: string | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      claims: ClaimLine[]
      families: Family[]
      counts: Record<string, number>
      unreadable: {
        run: string
        reason: string
      }[]
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** Whether two runs are of one distribution, as `pipeline runs drift` found: cells by site and stratum or by latent, the least likely by chance first */
  drift: {
    method: 'GET'
    path: '/api/drift'
    parts: Record<never, never>
    query: {
      /** The run that was compared with */
      base: string
      /** The other run, of the same kind */
      now: string
      /** The drift run, where several compare these two (default: the newest) */
      run?: string | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      run: string
      runs: string[]
      base: string
      now: string
      kind: 'capture' | 'sae' | 'evidence'
      alpha: number
      seed: number
      draws: number
      family: {
        method: string
        size: number
      }
      definitions: Record<string, string>
      notes: string[]
      composition: number | null
      cells: DriftCell[]
      drifted: number
      tested: number
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** Two SAEs: settings that differ, latents matched one to one by decoder cosine, and those that have no partner */
  compare: {
    method: 'GET'
    path: '/api/compare'
    parts: Record<never, never>
    query: {
      /** A train or import run */
      a: string
      /** Another one, whose SAE writes to the same width */
      b: string
      /** |cosine| from which latents count as the same */
      threshold?: number | undefined
      /** Which latents to list */
      part?: 'matched' | 'only-a' | 'only-b' | 'split' | undefined
      /** `next` of the last answer, to go on behind it */
      cursor?: string | undefined
      /** Entries to give at most */
      limit?: number | undefined
    }
    body: undefined
    answer: {
      a: ComparedSae
      b: ComparedSae
      differences: {
        key: string
        a: unknown
        b: unknown
      }[]
      notices: string[]
      mcc: number
      mccBound: number
      exact: boolean
      threshold: number
      shared: number
      null: number[]
      p: number | null
      histogram: {
        edges: number[]
        counts: number[]
      }
      latents: ({
        a: number | null
        b: number | null
        cosine: number | null
        densityA: number | null
        densityB: number | null
        effectA: number | null
        effectB: number | null
        verdictA: string | null
        verdictB: string | null
        labelA: ShownLabel | null
        labelB: ShownLabel | null
      })[]
      total: number
      next: string | null
    }
    events: never
    file: never
  }

  /** Which features fire on a text, at which tokens and how strongly */
  fires: {
    method: 'POST'
    path: '/api/play/features'
    parts: Record<never, never>
    query: Record<never, never>
    body: {
      /** A train or import run */
      sae: string
      /** Text of at most 512 tokens */
      text: string
      /** By summed activation, the largest, the largest times the decoder row’s length, or the largest by density */
      order?: 'sum' | 'max' | 'norm' | 'specificity' | undefined
      /** Features to give */
      count?: number | undefined
      /** First position that counts; position 0 is an attention sink */
      from?: number | undefined
      /** Last position that counts */
      to?: number | undefined
      /** Leave out features that fire more often than this */
      densest?: number | undefined
    }
    answer: {
      sae: string
      site: string
      tokens: PlayToken[]
      firing: number
      features: ({
        latent: number
        sum: number
        max: number
        peak: number
        positions: number[]
        values: number[]
        norm: number
        density: number | null
        maxActivation: number | null
        label: ShownLabel | null
      })[]
      seconds: number
    }
    events: never
    file: never
  }

  /** What an edit of features does to the next token, beside random directions and other latents of equal norm: all rows of one batch from the stored residual of the text */
  play: {
    method: 'POST'
    path: '/api/play/edit'
    parts: Record<never, never>
    query: Record<never, never>
    body: {
      /** A train or import run */
      sae: string
      /** Text of at most 512 tokens */
      text: string
      edits?: PlayEdit[] | undefined
      /** Random directions of equal norm */
      random?: number | undefined
      /** Other latents that fire on the text, at equal norm */
      foreign?: number | undefined
      /** Seed of the controls */
      seed?: number | undefined
      metric?: {
        /** A token */
        target: string
        /** Another token, whose logit is subtracted */
        distractor?: string | undefined
      } | undefined
      /** Where the next token is looked at (default: the last position) */
      position?: number | undefined
      /** Tokens of a table */
      top?: number | undefined
      /** Also do all of it with every attention pattern behind the site held as it is on the text */
      frozen?: boolean | undefined
    }
    answer: {
      sae: string
      site: string
      tokens: PlayToken[]
      position: number
      edits: ({
        latent: number
        unit: number | null
        unitFrom: string
        positions: number[]
        before: number[]
        after: number[]
      })[]
      base: {
        next: Next[]
        metric: number | null
      }
      rows: PlayRow[]
      frozen: PlayRow[] | null
      metric: {
        target: PlayToken
        distractor: PlayToken | null
      } | null
      seconds: number
    }
    events: never
    file: never
  }

  /** How a text goes on (the likeliest token, again and again, or drawn with a seed) as it is, with an edit, and with controls of equal norm */
  continued: {
    method: 'POST'
    path: '/api/play/continue'
    parts: Record<never, never>
    query: Record<never, never>
    body: {
      /** A train or import run */
      sae: string
      /** Text of at most 512 tokens */
      text: string
      edits?: PlayEdit[] | undefined
      /** Random directions of equal norm */
      random?: number | undefined
      /** Other latents that fire on the text, at equal norm */
      foreign?: number | undefined
      /** Seed of the controls */
      seed?: number | undefined
      /** Tokens to add */
      length?: number | undefined
      /** 0 takes the likeliest token; else tokens are drawn, at each step with one number for all rows */
      temperature?: number | undefined
    }
    answer: {
      sae: string
      tokens: PlayToken[]
      continuations: ({
        kind: 'base' | 'edit' | 'random' | 'foreign'
        id: number | null
        tokens: PlayToken[]
        text: string
      })[]
      seconds: number
    }
    events: never
    file: never
  }
}

/** How each route is asked. */
export const routes: { readonly [Name in keyof Api]: Pick<Api[Name], 'method' | 'path'> } = {
  session: { method: 'GET', path: '/api/session' },
  runs: { method: 'GET', path: '/api/runs' },
  run: { method: 'GET', path: '/api/runs/{run}' },
  verify: { method: 'GET', path: '/api/runs/{run}/verify' },
  diff: { method: 'GET', path: '/api/runs/{run}/diff' },
  lineage: { method: 'GET', path: '/api/runs/{run}/lineage' },
  graph: { method: 'GET', path: '/api/lineage' },
  metrics: { method: 'GET', path: '/api/runs/{run}/metrics' },
  curves: { method: 'GET', path: '/api/runs/{run}/curves' },
  live: { method: 'GET', path: '/api/live' },
  features: { method: 'GET', path: '/api/runs/{run}/features' },
  exported: { method: 'GET', path: '/api/runs/{run}/export' },
  columns: { method: 'GET', path: '/api/runs/{run}/columns' },
  histogram: { method: 'GET', path: '/api/runs/{run}/histogram' },
  feature: { method: 'GET', path: '/api/runs/{run}/features/{latent}' },
  examples: { method: 'GET', path: '/api/runs/{run}/features/{latent}/examples' },
  logits: { method: 'GET', path: '/api/runs/{run}/features/{latent}/logits' },
  neighbours: { method: 'GET', path: '/api/runs/{run}/features/{latent}/neighbours' },
  stability: { method: 'GET', path: '/api/runs/{run}/features/{latent}/stability' },
  roc: { method: 'GET', path: '/api/runs/{run}/features/{latent}/roc' },
  evidence: { method: 'GET', path: '/api/runs/{run}/evidence' },
  tests: { method: 'GET', path: '/api/runs/{run}/tests' },
  effects: { method: 'GET', path: '/api/runs/{run}/effects' },
  claims: { method: 'GET', path: '/api/claims' },
  drift: { method: 'GET', path: '/api/drift' },
  compare: { method: 'GET', path: '/api/compare' },
  fires: { method: 'POST', path: '/api/play/features' },
  play: { method: 'POST', path: '/api/play/edit' },
  continued: { method: 'POST', path: '/api/play/continue' },
}
