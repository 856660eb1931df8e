package cmd

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// examples of values, for errors about wrong ones.
var valueExamples = map[string]string{
	"bool": "true or false", "int": "a whole number", "duration": "a duration such as 10s",
	"string": "one value", "size": "a size such as 512KiB",
}

// valueChecks are of what flags take as they are.
var valueChecks = map[string]func(value string) error{
	"output": checkOutput, "color": checkColor,
}

// set gives a flag its configured value, or says what it wants instead.
func set(f *pflag.Flag, v *viper.Viper) error {
	value := v.Get(f.Name)
	list, isList := f.Value.(pflag.SliceValue)
	switch values := value.(type) {
	case []any:
		if words := v.GetStringSlice(f.Name); isList && len(words) == len(values) {
			return list.Replace(words)
		}
	case map[string]any:
		if f.Name == "rule" {
			return list.Replace(assignments(v, f.Name))
		}
	default:
		if f.Value.Set(v.GetString(f.Name)) == nil {
			return checkValue(f)
		}
	}
	shown := fmt.Sprint(value)
	if f.Name == keyHeader {
		shown = "the value" // may be a secret
	}
	return fmt.Errorf("%s is not %s", shown, cmp.Or(valueExamples[f.Value.Type()], "a list of strings: quote those with a colon"))
}

func checkValue(f *pflag.Flag) error {
	if check := valueChecks[f.Name]; check != nil {
		return check(f.Value.String())
	}
	return nil
}

// assignments writes a table as flags do: NAME=VALUE.
func assignments(v *viper.Viper, key string) []string {
	var words []string
	for name, value := range v.GetStringMapString(key) {
		words = append(words, name+"="+value)
	}
	slices.Sort(words)
	return words
}
