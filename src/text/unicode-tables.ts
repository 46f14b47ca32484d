/**
 * Which code points each rule set drops, splits at, folds; facts of several Unicode versions, fixed here because the
 * versions behind \p{...} and toLowerCase differ by engine. Made by scripts/make-unicode-tables.ts.
 * Ranges in base 36: the gap since the range before, then `.` and the length - 1 where the range is longer than one.
 */

/** The names of the tables. */
export type UnicodeProperty = keyof typeof HUGGINGFACE_RANGES;

/** Ranges as the tokenizers library (Rust) has them. */
export const HUGGINGFACE_RANGES = {
  dropped:
    "0.8 2.1 1.h 2n.w d 11u.5 m 5c 1d 3cu 1ks.4 q.4 1d.4 1.9 11u8.4xr 16n 6x.2 1 3b3 xya.3 43z.7 h406 u.2n 1egw.1ekd 2.1ekd",
  space: "9.1 2 i 3j 4bj 1vj.a t.1 5 1b 334",
  chinese: "a9s.533 1s.g73 hkw.e7 1fk0.wyn w.3dr 74.49b 85s.f3",
  punctuation:
    "x.e a.6 q.5 q.3 y 5 3 a.1 3 3 ji 8 cy.5 15.1 1f 1 2 2 18.1 k.1 1.1 d 2.1 22.3 2u 17.d 6h.2 1i.e v 79.1 a an lf 2i a.1 4o.e 1 11.3 1z 22.4 4.1 33.5 4r h0.8 47 h8.1 18.1 26.2 1z.1 4d.2 1.2 11.a 8p.1 60.1 3k.6 1.5 4s.6 4b.3 1n.4 1q.1 1s.7 b n0.n 8.j 1.c 1.b u.1 e.1 hl.3 t.1 u5.d 27.1 v.9 b7.l 1r.3 w.1 l7.3 1.1 34 3z.1a 1.i ce.2 4.9 2.b g c 2q 2i mwy.1 7h.2 2r a 37.5 ak.3 2e.1 14.2 1 1d.1 1b 2p.c g.1 3g.3 3i.1 g.1 6x g2a.1 5s.9 m.y 1.d 1 4 1.1 45.2 1.5 1.3 a.1 3.1 q.2 1 r 1 1.6 be.2 ik 1c bi kn 5j v 7k.8 12 34.6 1u.6 2h.3 x6.6 31.1 1.3 3i.3 1c.1 27.4 3 d 1.2 2g.5 2z f0 6y.m 2x.2 6w.2 2lt.4 dtl.1 3p 1t.4 8 g2i 5wn.4",
  stripped:
    "lc.33 7n.4 7d.18 1 1.1 1.1 1 20.a 1c.k g 2t.6 2.5 2.1 1.3 z u.q 2j.a 1m.8 y.3 1.8 1.2 1.4 17.2 3r.v 1j 1 4.7 4 3.6 a.1 t 1m 4.3 8 k.1 t.1 1l 4.1 4.1 2.2 3 u.1 3 b.1 1l 4.4 1.1 4 k.1 t 1m 2 1.3 8 8 b.1 u 1p c 1e 1p.2 5.2 1.3 7.1 b.1 t 1m 2 6 5.1 k.1 t 1r.3 8 k.1 2u 7.2 1 2i 2.6 c.7 2q 2.5 1.1 b.5 22.1 r 1 1 1j.d 1.4 1.1 5.a 1.z 9 2u.3 1.5 1.1 2.1 p.1 4.2 g.3 d 2.1 6 f jj.2 qa.2 t.2 t.1 u.1 1s.1 1.6 8 2.a 9 19.2 4b 3a.2 4.1 9 6.2 63.1 2 1m 1.6 1 1 2.7 6.9 2 1c.d 1u.3 1c 1.4 1 5 14.8 c.1 w.3 2.1 1.2 1k 1.1 3 1.2 1m.7 2.1 48.2 1.c 1.6 4 6 3.1 5i.1h 6.3 k0.c 4 3.b 2da.2 3x 2o.v fe.3 2z.1 n9w 4.9 w.1 28.1 7k 3 4 p.1 4d r.h 1g.7 p.a 1a.2 1c 2.3 2 14 1v.5 2.1 2.1 c 8 1b 1f 1.2 2.1 5.1 1 16.1 8 6m 2 4 fn4 kh.f g.f r1 6a 45.4 1ae.2 1.1 5.3 14.2 4 4l.1 10a 1i.e 1k.2 1d.3 2.1 1x.2 10.4 1.7 1q c.1 1g.8 b.2 2q.2 2 1.1 4n 3.7 l.1 1m 3 11.6 3.4 8u.5 1 4.1 1.1 6m.3 6.1 1.1 r.1 2d.7 2 1.1 2y 1 2.5 1 2t.2 2.3 1.4 gjo.4 1n.6 uw.3 f7u.1 43s.2 h.7 2.6 u.3 44.2 1iz.1i 4.1d 8 e m.4 1.e 2sg.6 gzl5.6n",
  lowered:
    "1t.p 2t.m 1.6 x 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2 1 1 1 1 1 1 1 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1.1 1 1 3.1 1 1.1 1.2 2.3 1.1 1.2 3.1 1.1 1 1 1.1 1 2 1.1 1.2 1 1.1 3 7.1 1.1 1.1 1 1 1 1 1 1 1 1 2 1 1 1 1 1 1 1 1 2.1 1 1.2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 7.1 1.1 2 1.3 1 1 1 1 81 1 3 8 6 1.2 1 1.1 1.g 1.8 z 8 1 1 1 1 1 1 1 1 1 1 1 5 2 1.1 2.1e 1c 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 9 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1.1 1 1 1 1 1 1 2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2.11 289.11 1 5 k2.2d 1oz 6.16 2.2 8w 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 9 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 9.7 8.5 a.7 8.7 8.5 b 1 1 1 8.7 o.7 8.7 8.7 8.4 b.4 b.3 c.4 b.4 89 3.1 6 19.f j mq.p 1f4.1b 1c 1.2 2 1 1 1.3 1 2 8.2 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 8 1 4 nyl 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 j 1 1 1 1 1 1 1 1 1 1 1 1 1 3r 1 1 1 1 1 1 3 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 a 1 1.1 1 1 1 1 4 1 2 1 3 1 1 1 1 1 1 1 1 1 1.4 1.4 1 1 1 1 1 1 1 1.3 1 1.1 1 1 1 1 1 1 1 1 o h7v.p xx.13 3s.z 4c.a 1.e 1.6 1.1 1d6.1e 4d.l 27u.v gw0.v 1s.o o5j.x",
  decomposed:
    "5c.5 1.8 1.5 2.4 2.5 1.8 1.5 2.4 1.g 2.j 2.8 3.3 1.5 4.5 3.5 2.h 2.m x.1 d.1 s.f 1.5 2.a 3.1 2.z 2.1 6.d 8w 9 6.5 1 1.2 p.6 p.4 4.1 17.1 1 3 4.2 a v m.1 1 3 4.2 n.1 21.1 d.3 2.1 2.5 2.5 2.b 2.1 88.4 49 1 g gl 7 2 z.7 2z.1 f.1 1 2b 2 y.2 2 6h 2.1 f.1 1i 1h.2 6r 6.1 1.1 3i.2 3x 1.2 9w 9 4 4 4 c 58 25b 1 1 1 1 3 14 1 2.1 1 jg.49 1 4.2h 6.l 2.5 2.11 2.5 2.7 1 1 1 1.u 2.1g 1.6 1 2.3 1.d 2.5 1.i 2.2 1.7 88 3.1 32.1 i u.2 1g 4 2 n 1 q 2 2 1 m 1 a.4 2.1 2.1 6.1 2.1 2.1 y.3 1c.3 6.3 1n.1 1ip 12n 1 1 1 1 1 1 1 1 1 1 1 2 1 1 6.1 1.1 1.1 1.1 1.1 m 9 d 1 1 1 1 1 1 1 1 1 1 1 2 1 1 6.1 1.1 1.1 1.1 1.1 m 2.3 3 oap.8mb 6l8.7h 2 1 2.9 1 1 2.1 3.1v 2.2x 1v 1 a.c 1.4 1 1.1 1.1 1.8 47f 1 e in.1 a6.1 1 6z.1 112a.6 2e.5 1m4f.f1",
  reordered: "1qs.d 3mq 2t 1z.1 ef 3le.1 nxf 30 kjj 38 7r 6s 3 hb 13c zs5.1 6.5 2vh.6 1.g 2.6 1.1 1.4 1sp.6",
} as const;

/** Where tokenization.py under Unicode 14 differs from the ranges above: these code points change sides. */
export const GOOGLE_DIFFERENCES: Readonly<Record<UnicodeProperty, string>> = {
  dropped: "1ow.1 28 16hp.4xr 4p9 6zm.8 jdmv.1ekd 2.1ekd",
  space: "",
  chinese: "3ti8.73",
  punctuation:
    "17h rj 3c e8 c 1yg zz.1 3pg.c 2.b 18b3 4n.4 18.3 fz ht.4 a.1 1 ea.c 24 ap 7c.2 4b 2k.7 2b.2 1.4 bi.4 16.1 hx.1 7a 35d.1 cdg.3 93 nzv.1",
  stripped:
    "1kt 4a.7 16.n 7w 6z.5 2d 4u 1j 5f 1m.1 1w 8o 1o9 62 39.1 fs.f mf.5 rao 48 1l 59 jmu.3 ar.1 49.a 1d.3 6i 2.1 25 7a 5 32 70 70.7 2.2 1 n r4.8 1.1 74.1 1 4 40.3 2.1 4 w.9 14.5 2.3 8 9.5 2.2 1a.c 1.1 ba.6 1.5 1 2a.l 2.6 1.1 1.1 3e.5 3 1.1 1.6 1 20.1 3 1 9n.1 fve 44 isb.19 2.m 3ax.6 1.g 2.6 1.1 1.4 79.6 af 1p.3 190.6",
  lowered: "5mx ri9.1 1 3 1 5 1 k1f.l j7e.o",
  decomposed: "1jjs",
  reordered: "1qs.d 2sz u 1c6 1cna 3 za ld gj4.1 m4u.6 1.g 2.6 1.1 1.4 1sp.6",
};
