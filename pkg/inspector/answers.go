package inspector

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/owoxhook/owoxhook/pkg/receiver"
)

// maxDelay is far beyond what OWOX waits for.
const maxDelay = 10 * time.Minute

// answersView is what deliveries are answered with, as a form.
type answersView struct {
	Respond, Delay string
	Paused         bool
	Problem        string
}

func newAnswers(p receiver.Plan) answersView {
	v := answersView{Paused: p.Paused}
	var statuses []string
	for _, status := range p.Respond {
		statuses = append(statuses, strconv.Itoa(status))
	}
	v.Respond = strings.Join(statuses, ", ")
	if p.Delay > 0 {
		v.Delay = p.Delay.String()
	}
	return v
}

func (i *Inspector) answersForm(w http.ResponseWriter, r *http.Request) {
	if i.options.Answers == nil {
		i.fail(w, r, http.StatusNotFound, "Nothing receives beside this page, so there are no answers to change: start owoxhook listen --ui.")
		return
	}
	i.render(w, r, http.StatusOK, "answers", "Answers", newAnswers(i.options.Answers.Plan()))
}

func (i *Inspector) answers(w http.ResponseWriter, r *http.Request) {
	if i.options.Answers == nil {
		i.answersForm(w, r)
		return
	}
	plan, err := parsePlan(r.PostForm)
	if err != nil {
		v := answersView{Respond: r.PostForm.Get("respond"), Delay: r.PostForm.Get("delay"), Paused: plan.Paused, Problem: err.Error()}
		i.render(w, r, http.StatusBadRequest, "answers", "Answers", v)
		return
	}
	i.options.Answers.SetPlan(plan)
	http.Redirect(w, r, "/answers", http.StatusSeeOther)
}

func parsePlan(form url.Values) (p receiver.Plan, err error) {
	p.Paused = form.Get("paused") == "yes"
	for word := range strings.FieldsFuncSeq(form.Get("respond"), func(r rune) bool { return r == ',' || r == ' ' }) {
		status, err := strconv.Atoi(word)
		if err != nil || status < 200 || status > 599 {
			return p, fmt.Errorf("status %q: want statuses from 200 to 599", word)
		}
		p.Respond = append(p.Respond, status)
	}
	if text := strings.TrimSpace(form.Get("delay")); text != "" {
		if p.Delay, err = time.ParseDuration(text); err != nil || p.Delay < 0 || p.Delay > maxDelay {
			return p, fmt.Errorf("delay %q: want a time such as 500ms or 12s, and at most %s", text, maxDelay)
		}
	}
	return p, nil
}
