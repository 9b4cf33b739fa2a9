package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// style has colours that stand out from white and from black; text follows the
// reader's choice.
const style = `<style>
text { font: 12px sans-serif; fill: #444 }
.title { font-size: 14px; font-weight: bold }
.grid { stroke: #888; stroke-opacity: .35 }
.rvrrpd { fill: #2f81f7; stroke: #2f81f7 } .keepalived { fill: #d9822b; stroke: #d9822b } .floor { fill: #8a8f98; stroke: #8a8f98 }
.line { fill: none; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #ccc } }
</style>
`

// subjectsInCharts are drawn in this order.
var subjectsInCharts = []subject{rvrrpd, keepalived, floor}

// drawing is a picture under construction.
type drawing struct {
	strings.Builder
	width, height float64
}

func newDrawing(title string, width, height float64) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(d, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\" aria-label=\"%s\">\n%s",
		width, height, width, height, html.EscapeString(title), style)
	d.text(16, 22, "title", "start", title)
	return d
}

func (d *drawing) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(d, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">%s</text>\n", x, y, class, anchor, html.EscapeString(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"grid\"/>\n", x1, y1, x2, y2)
}

// legend names the subjects that are drawn.
func (d *drawing) legend(y float64, present map[subject]bool) {
	x := 16.0
	for _, s := range subjectsInCharts {
		if !present[s] {
			continue
		}
		fmt.Fprintf(d, "<rect x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" class=\"%s\"/>\n", x, y-9, s)
		d.text(x+15, y, "", "start", string(s))
		x += 110
	}
}

func (d *drawing) String() string { return d.Builder.String() + "</svg>\n" }

// bars draws the rows' medians, each row a group with a scale of its own: what
// is compared is the daemons, and not the rows.
func bars(title string, rows []*row) string {
	const left, right, thick, gap = 230.0, 150.0, 12.0, 12.0
	height, present := 60.0, map[subject]bool{}
	for _, r := range rows {
		height += gap
		for _, s := range subjectsInCharts {
			if len(r.Values[s]) > 0 {
				height += thick
				present[s] = true
			}
		}
	}
	d := newDrawing(title, 720, height)
	d.legend(44, present)
	y := 60.0
	for _, r := range rows {
		most := 0.0
		for _, s := range subjectsInCharts {
			if v := median(r.Values[s]); v > most {
				most = v
			}
		}
		d.text(16, y+10, "", "start", r.Name)
		for _, s := range subjectsInCharts {
			v := median(r.Values[s])
			if math.IsNaN(v) {
				continue
			}
			length := 1.0
			if most > 0 && v > 0 {
				length = max(1, v/most*(d.width-left-right))
			}
			fmt.Fprintf(d, "<rect x=\"%g\" y=\"%.1f\" width=\"%.1f\" height=\"%g\" class=\"%s\"/>\n", left, y, length, thick-2, s)
			d.text(left+length+5, y+9, "", "start", number(v)+" "+r.Unit)
			y += thick
		}
		y += gap
	}
	return d.String()
}

// point is a place of a curve.
type point struct{ x, y float64 }

// curves draws a curve for each subject, both axes logarithmic.
func curves(title, x, y string, all map[subject][]point) string {
	const left, right, top, bottom = 60.0, 20.0, 60.0, 40.0
	d := newDrawing(title, 720, 360)
	present := map[subject]bool{}
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for s, points := range all {
		for _, p := range points {
			if p.x > 0 && p.y > 0 {
				present[s] = true
				low = point{min(low.x, math.Log10(p.x)), min(low.y, math.Log10(p.y))}
				high = point{max(high.x, math.Log10(p.x)), max(high.y, math.Log10(p.y))}
			}
		}
	}
	if len(present) == 0 {
		return ""
	}
	d.legend(44, present)
	low, high = point{math.Floor(low.x), math.Floor(low.y)}, point{math.Ceil(high.x), math.Ceil(high.y)}
	place := func(p point) point {
		return point{left + (math.Log10(p.x)-low.x)/max(1, high.x-low.x)*(d.width-left-right),
			d.height - bottom - (math.Log10(p.y)-low.y)/max(1, high.y-low.y)*(d.height-top-bottom)}
	}
	for e := low.x; e <= high.x; e++ {
		at := place(point{math.Pow(10, e), math.Pow(10, low.y)})
		d.line(at.x, top, at.x, d.height-bottom)
		d.text(at.x, d.height-bottom+16, "", "middle", fmt.Sprintf("%g", math.Pow(10, e)))
	}
	for e := low.y; e <= high.y; e++ {
		at := place(point{math.Pow(10, low.x), math.Pow(10, e)})
		d.line(left, at.y, d.width-right, at.y)
		d.text(left-6, at.y+4, "", "end", fmt.Sprintf("%g", math.Pow(10, e)))
	}
	d.text(d.width-right, d.height-6, "", "end", x)
	d.text(d.width-right, 44, "", "end", y)
	for _, s := range subjectsInCharts {
		d.curve(s, all[s], place)
	}
	return d.String()
}

// curve draws the points of one subject.
func (d *drawing) curve(s subject, points []point, place func(point) point) {
	var path []string
	for _, p := range points {
		if p.x <= 0 || p.y <= 0 {
			continue
		}
		at := place(p)
		path = append(path, fmt.Sprintf("%.1f,%.1f", at.x, at.y))
		fmt.Fprintf(d, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"%s\"><title>%s</title></circle>\n", at.x, at.y, s,
			html.EscapeString(fmt.Sprintf("%s: %g, %s", s, p.x, number(p.y))))
	}
	if len(path) > 1 {
		fmt.Fprintf(d, "<polyline points=\"%s\" class=\"%s line\" style=\"fill:none\"/>\n", strings.Join(path, " "), s)
	}
}
