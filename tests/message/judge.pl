# Reads messages (files named on the command line) with Perl's own decoders and prints them as JSON.
use strict;
use warnings;
use Encode qw(decode FB_CROAK);
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);

sub fields {
    my ($head) = @_;
    $head =~ s/\r\n(?=[ \t])//g;
    my %found;
    for my $line (split /\r\n/, $head) {
        my ($name, $value) = $line =~ /^([!-9;-~]+):[ ]?(.*)$/ or die "not a header: $line";
        push @{ $found{ lc $name } }, $value;
    }
    return \%found;
}

my @messages;
for my $file (@ARGV) {
    open my $in, '<:raw', $file or die $file;
    local $/;
    my $raw = <$in>;
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my $fields = fields($head);
    my ($boundary) = $fields->{'content-type'}[0] =~ /boundary="([^"]+)"/ or die 'no boundary';
    my @sections = split /(?:^|\r\n)--\Q$boundary\E(?:--)?\r\n/, $body;
    shift @sections;
    my @parts;
    for my $section (@sections) {
        my ($part_head, $content) = split /\r\n\r\n/, $section, 2;
        my $encoding = fields($part_head)->{'content-transfer-encoding'}[0];
        my $bytes = $encoding eq 'base64' ? decode_base64($content) : decode_qp($content);
        $bytes =~ s/\r\n/\n/g;
        push @parts, decode('UTF-8', $bytes, FB_CROAK);
    }
    push @messages, {
        subject => decode('MIME-Header', $fields->{subject}[0]),
        from    => decode('MIME-Header', $fields->{from}[0]),
        text    => $parts[0],
        html    => $parts[1],
        parts   => scalar @parts,
    };
}
print JSON::PP->new->ascii->encode(\@messages);
