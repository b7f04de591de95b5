# Reads messages (files named on the command line) with Perl's own decoders and prints them as JSON.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
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

sub sections {
    my ($fields, $body) = @_;
    my ($boundary) = $fields->{'content-type'}[0] =~ /boundary="([^"]+)"/ or die 'no boundary';
    my @sections = split /(?:^|\r\n)--\Q$boundary\E(?:--)?\r\n/, $body;
    shift @sections;
    return @sections;
}

my @messages;
for my $file (@ARGV) {
    open my $in, '<:raw', $file or die $file;
    local $/;
    my $raw = <$in>;
    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my $fields = fields($head);
    my (@parts, @pictures);
    my @sections = sections($fields, $body);
    while (my $section = shift @sections) {
        my ($part_head, $content) = split /\r\n\r\n/, $section, 2;
        my $part = fields($part_head);
        if ($part->{'content-type'}[0] =~ /^multipart\/related/) {
            unshift @sections, sections($part, $content);
            next;
        }
        my $encoding = $part->{'content-transfer-encoding'}[0];
        my $bytes = $encoding eq 'base64' ? decode_base64($content) : decode_qp($content);
        if ($part->{'content-id'}) {
            push @pictures, [ $part->{'content-id'}[0], sha256_hex($bytes) ];
            next;
        }
        $bytes =~ s/\r\n/\n/g;
        push @parts, decode('UTF-8', $bytes, FB_CROAK);
    }
    push @messages, {
        subject => decode('MIME-Header', $fields->{subject}[0]),
        from    => decode('MIME-Header', $fields->{from}[0]),
        text    => $parts[0],
        html    => $parts[1],
        parts   => scalar @parts,
        pictures => \@pictures,
    };
}
print JSON::PP->new->ascii->encode(\@messages);
